// Everything that runs in a browser as well as in Node. In Node the package's entry is index.node.ts, which adds files.

// Models
export { Unet } from "./models/unet/unet.ts";
export type { UnetOptions } from "./models/unet/options.ts";
export { UnetClassifier } from "./models/unet/classifier.ts";
export type { UnetClassifierOptions } from "./models/unet/classifier.ts";
export { AdmUnet } from "./models/adm/adm-unet.ts";
export type { AdmUnetOptions, CompleteAdmUnetOptions } from "./models/adm/options.ts";
export { DiT } from "./models/dit/dit.ts";
export { ditSizes } from "./models/dit/options.ts";
export type { CompleteDiTOptions, DiTOptions } from "./models/dit/options.ts";
export { UNet2DModel } from "./models/unet-2d/unet-2d-model.ts";
export type { DiffusersConfig } from "./models/unet-2d/config.ts";
export type { CompleteUNet2DModelOptions, UNet2DModelOptions } from "./models/unet-2d/options.ts";
export { architectureNames, cloneModel, modelLike, newModel, registerModel } from "./models/registry.ts";
export type { Architecture, DiffusersClass, ModelConfig } from "./models/registry.ts";
export { classCondition } from "./models/conditions/classes.ts";
export { contextCondition } from "./models/conditions/context.ts";
export { lowresCondition } from "./models/conditions/lowres.ts";
export { selfCondition } from "./models/conditions/self-condition.ts";
export { vectorCondition } from "./models/conditions/vector.ts";
export { modelOptions } from "./models/model.ts";
export type { DiffusionModel, ModelOptions } from "./models/model.ts";
export type { ConditionDeclaration, ConditionDeclarations, Conditions } from "./models/conditions/declaration.ts";
export { Module } from "./nn/module/module.ts";
export type { Layer } from "./nn/module/module.ts";
export type { StateDict } from "./nn/module/state-dict.ts";
export { GELU, SiLU } from "./nn/activations.ts";
export type { GELUOptions } from "./nn/activations.ts";
export { Attention, CrossAttention, LinearAttention } from "./nn/attention/attention.ts";
export type { AttentionOptions, CrossAttentionOptions } from "./nn/attention/attention.ts";
export { Embedding } from "./nn/embedding.ts";
export type { EmbeddingOptions } from "./nn/embedding.ts";
export { Conv2d, WeightStandardizedConv2d } from "./nn/conv2d.ts";
export type { Conv2dLayerOptions, WeightStandardization, WeightStandardizedConv2dOptions } from "./nn/conv2d.ts";
export { GroupNorm, PreNorm } from "./nn/group-norm.ts";
export {
  Random,
  fanInUniform,
  normal,
  randn,
  standardNormal,
  storedAs,
  withoutWeights,
  xavierUniform,
  zeros,
} from "./nn/init.ts";
export type { Initializer } from "./nn/init.ts";
export type { HalfDtype, StorageDtype } from "./tensor/half-storage.ts";
export { LayerNorm } from "./nn/layer-norm.ts";
export type { LayerNormOptions } from "./nn/layer-norm.ts";
export { Dropout } from "./nn/dropout.ts";
export { Linear } from "./nn/linear.ts";
export type { LinearOptions } from "./nn/linear.ts";
export { Mlp } from "./nn/mlp.ts";
export type { MlpOptions } from "./nn/mlp.ts";
export { PointwiseConv1d } from "./nn/pointwise-conv1d.ts";
export { SinusoidalPositionEmbeddings, timestepEmbedding } from "./nn/position-embeddings.ts";
export type { TimestepEmbeddingOptions } from "./nn/position-embeddings.ts";
export { Downsample, Upsample } from "./nn/resample.ts";
export { Block, ResnetBlock } from "./nn/resnet-block.ts";
export type { BlockOptions, ResnetBlockOptions } from "./nn/resnet-block.ts";
export { mergeHeads, scaledDotProduct } from "./nn/attention/scaled-dot-product.ts";
export { SelfAttention } from "./nn/attention/self-attention.ts";
export type { SelfAttentionOptions } from "./nn/attention/self-attention.ts";
export { Residual, Sequential } from "./nn/module/sequential.ts";
export { formatSummary, summary } from "./models/summary.ts";
export type { LayerSummary, ModelSummary } from "./models/summary.ts";

// Diffusion
export { GaussianDiffusion } from "./diffusion/gaussian-diffusion.ts";
export type { GaussianDiffusionOptions, PSampleOptions } from "./diffusion/gaussian-diffusion.ts";
export { ElucidatedDiffusion } from "./diffusion/elucidated-diffusion.ts";
export type { ElucidatedDiffusionOptions } from "./diffusion/elucidated-diffusion.ts";
export { RectifiedFlow } from "./diffusion/rectified-flow.ts";
export type { RectifiedFlowOptions, TimeDistribution } from "./diffusion/rectified-flow.ts";
export { ScoreDiffusion } from "./diffusion/score-diffusion.ts";
export type { ScoreDiffusionOptions, SdeName } from "./diffusion/score-diffusion.ts";
export { probabilityFlowLikelihood } from "./diffusion/objectives/probability-flow-likelihood.ts";
export type {
  ProbabilityFlowLikelihood,
  ProbabilityFlowOptions,
} from "./diffusion/objectives/probability-flow-likelihood.ts";
export { Diffusion } from "./diffusion/diffusion.ts";
export type { InversionOptions, SampleOptions, SamplerSettings } from "./diffusion/sampling/sample.ts";
export type { UsualSampling } from "./diffusion/samplers/usual-sampling.ts";
export { interpolationMethods } from "./diffusion/sampling/interpolation.ts";
export type { InterpolationMethod, InterpolationOptions } from "./diffusion/sampling/interpolation.ts";
export type { LossType } from "./diffusion/objectives/loss-type.ts";
export { classGradient, logLikelihood } from "./diffusion/sampling/classifier.ts";
export type { NoisyClassifier } from "./diffusion/sampling/classifier.ts";
export type { LowresOptions } from "./diffusion/sampling/cascade.ts";
export type { Classes, ConditioningOptions } from "./diffusion/sampling/conditioning.ts";
export type { GuidanceOptions } from "./diffusion/sampling/guidance.ts";
export { DiffusionProcess } from "./diffusion/diffusion-process.ts";
export type { DiffusionProcessOptions } from "./diffusion/diffusion-process.ts";
export type { Denoiser, ModelOutput, Predictions, ReverseStep, VarianceType } from "./diffusion/denoiser.ts";
export { bitsPerDim } from "./diffusion/objectives/bits-per-dim.ts";
export type { BitsPerDim, BitsPerDimOptions } from "./diffusion/objectives/bits-per-dim.ts";
export { ContinuousLevels, NoiseLevels, ScheduleLevels } from "./diffusion/process/noise-level.ts";
export type { NoiseLevel } from "./diffusion/process/noise-level.ts";
export { samplingPlan } from "./diffusion/samplers/plan.ts";
export type { LevelOptions, PlanOptions, SamplingPlan } from "./diffusion/samplers/plan.ts";
export { registerSampler, samplerNames } from "./diffusion/samplers/registry.ts";
export type { SamplerName, SamplerOptions } from "./diffusion/samplers/registry.ts";
export { schedulerOf } from "./diffusion/schedulers/of-diffusion.ts";
export { schedulerConfig, schedulerFromConfig, schedulerNames } from "./diffusion/schedulers/scheduler.ts";
export type { Scheduler, SchedulerName, SchedulerOptions } from "./diffusion/schedulers/scheduler.ts";
export { intervalsOf } from "./diffusion/samplers/parts/sampler.ts";
export type { AtHand, Sampler, SamplerRow, SamplerStep, Transform } from "./diffusion/samplers/parts/sampler.ts";
export type { Combination } from "./diffusion/samplers/parts/combination.ts";
export type { LevelTensors, Process } from "./diffusion/process/process.ts";
export { objectiveNames } from "./diffusion/objectives/objective.ts";
export type { Objective } from "./diffusion/objectives/objective.ts";
export { sectionedTimesteps, timestepSpacingNames } from "./diffusion/process/timestep-spacing.ts";
export type { TimestepSpacing } from "./diffusion/process/timestep-spacing.ts";
export { rescaleZeroTerminalSnr } from "./diffusion/process/zero-terminal-snr.ts";
export { noiseSchedule } from "./diffusion/process/noise-schedule.ts";
export type { NoiseSchedule } from "./diffusion/process/noise-schedule.ts";
export { terminalSignalWarning } from "./diffusion/process/terminal-signal.ts";
export type { Samples, SamplingOptions, SamplingProgress } from "./diffusion/sampling/sampling.ts";
export type { RandomnessOptions } from "./diffusion/randomness/noise-source.ts";
export { TorchGenerator, torchGenerator } from "./diffusion/randomness/torch-generator.ts";
export type { NoiseGenerator } from "./diffusion/randomness/torch-generator.ts";
export {
  betaSchedule,
  betaScheduleNames,
  cosineBetaSchedule,
  laplaceBetaSchedule,
  linearBetaSchedule,
  quadraticBetaSchedule,
  scaledLinearBetaSchedule,
  sigmoidBetaSchedule,
  sigmoidJabriBetaSchedule,
  squaredcosCapV2BetaSchedule,
} from "./diffusion/process/schedules.ts";
export type { BetaRange, BetaSchedule, Betas, LaplaceOptions, SigmoidOptions } from "./diffusion/process/schedules.ts";

// Training
export { Trainer } from "./training/trainer.ts";
export type { RunLength, RunOptions, TrainerOptions, TrainingProgress } from "./training/trainer-options.ts";
export type { TaskBatch, TaskInput, TaskLoss, TrainingTask } from "./training/task.ts";
export { denoising } from "./training/tasks/denoising.ts";
export type { DenoisingOptions } from "./training/tasks/denoising.ts";
export { noisyClassification } from "./training/tasks/noisy-classification.ts";
export type { NoisyClassificationOptions } from "./training/tasks/noisy-classification.ts";
export { TrainingProgram } from "./training/step/training-program.ts";
export type { Collective } from "./training/collective/collective.ts";
export type { StepRates, TrainingProgramOptions } from "./training/step/training-program.ts";
export type { MicroBatch } from "./training/step/micro-batch.ts";
export { Adam } from "./optim/adam.ts";
export type { AdamOptions } from "./optim/adam.ts";
export { AdamW } from "./optim/adamw.ts";
export type { AdamWOptions } from "./optim/adamw.ts";
export type { Optimizer } from "./optim/optimizer.ts";
export type { OptimizerName } from "./optim/optimizers.ts";
export { Sgd } from "./optim/sgd.ts";
export type { SgdOptions } from "./optim/sgd.ts";
export { decodeCheckpoint, encodeCheckpoint } from "./checkpoint/checkpoint.ts";
export type { Checkpoint } from "./checkpoint/checkpoint.ts";
export { importCheckpoint } from "./checkpoint/importing/import-checkpoint.ts";
export type { ImportOptions, ImportSource, ImportedCheckpoint } from "./checkpoint/importing/import-checkpoint.ts";
export { classifierAccuracy } from "./training/classifier-accuracy.ts";
export type { ClassifierAccuracyOptions } from "./training/classifier-accuracy.ts";
export {
  classifierFromCheckpoint,
  diffusionFromCheckpoint,
  modelFromCheckpoint,
} from "./checkpoint/from-checkpoint.ts";
export type { ModelFromCheckpointOptions } from "./checkpoint/from-checkpoint.ts";
export type { MetricsLine } from "./checkpoint/metrics.ts";
export type { RunConfig } from "./checkpoint/run-config.ts";
export type { FoundCheckpoint, RunStore } from "./checkpoint/run-store.ts";
export type { TrainingSettings, TrainingSettingsInput } from "./checkpoint/training-settings.ts";
export type { State } from "./optim/state.ts";

// Evaluation
export { evaluateSamples } from "./evaluation/evaluate-samples.ts";
export type { Evaluation } from "./evaluation/evaluate-samples.ts";
export { referenceOf } from "./evaluation/reference.ts";
export type { Reference } from "./evaluation/reference.ts";
export { FeatureExtractor } from "./evaluation/features/feature-extractor.ts";
export type { FeatureNetwork } from "./evaluation/features/feature-network.ts";
export { Classifier } from "./evaluation/features/classifier.ts";
export type { Classification } from "./evaluation/features/classifier.ts";
export { ImageClassifier } from "./evaluation/features/image-classifier.ts";
export type { ImageClassifierOptions } from "./evaluation/features/image-classifier.ts";
export { InceptionV3 } from "./evaluation/features/inception.ts";
export { trainClassifier } from "./evaluation/features/train-classifier.ts";
export type { ClassifierTrainingOptions, ClassifierTrainingProgress } from "./evaluation/features/train-classifier.ts";
export { decodeClassifier, encodeClassifier } from "./evaluation/features/classifier-file.ts";
export type { ClassifierNotes } from "./evaluation/features/classifier-file.ts";
export { fitGaussian, frechetDistance } from "./evaluation/metrics/frechet-distance.ts";
export type { Gaussian } from "./evaluation/metrics/frechet-distance.ts";
export type { SquareMatrix } from "./evaluation/metrics/symmetric-matrix.ts";
export { kernelDistance } from "./evaluation/metrics/kernel-distance.ts";
export type { KernelDistance, KernelDistanceOptions } from "./evaluation/metrics/kernel-distance.ts";
export type { PrecisionRecall } from "./evaluation/metrics/precision-recall.ts";
export type { InBothSpaces } from "./evaluation/metrics/memorisation.ts";
export type { NearestNeighbours } from "./evaluation/metrics/nearest-neighbours.ts";
export { neighbourImages } from "./evaluation/metrics/neighbour-images.ts";
export type { Images } from "./evaluation/byte-images.ts";

// Data
export { contextBatch, imageContexts, imageVectors, vectorBatch } from "./data/conditions.ts";
export type { ConditionArrays, ConditionSource, ImageContexts, ImageVectors, Tokens } from "./data/conditions.ts";
export { memoryDataset, subsetOf } from "./data/dataset.ts";
export type { ImageDataset, MemoryDatasetOptions } from "./data/dataset.ts";
export { idxDataset, parseIdx } from "./data/idx.ts";
export type { IdxArray, IdxDatasetOptions, IdxFile } from "./data/idx.ts";
export { DataLoader } from "./data/loader.ts";
export type { Batch, DataLoaderOptions, LoaderState } from "./data/loader.ts";

// Models that others have trained
export { DiffusionPipeline } from "./pretrained/pipeline/pipeline.ts";
export type { FromPretrainedOptions, PipelineParts, PipelineSampleOptions } from "./pretrained/pipeline/pipeline.ts";
export { modelFromPretrained } from "./pretrained/pipeline/model.ts";
export type { ModelFromPretrainedOptions } from "./pretrained/pipeline/model.ts";
export type { PipelineClass } from "./pretrained/pipeline/model-index.ts";
export type { SaveOptions } from "./pretrained/pipeline/save.ts";
export type { ModelCard } from "./pretrained/pipeline/model-card.ts";
export type { PretrainedLocation, SourceOptions } from "./pretrained/source/open-source.ts";
export type { Source, SourceFile } from "./pretrained/source/source.ts";
export type { PretrainedProgress } from "./pretrained/source/url-source.ts";

// Files and images as bytes
export { parsePytorch } from "./io/pytorch/state-dict.ts";
export type { PytorchFile } from "./io/pytorch/state-dict.ts";
export { parseSafetensors, serializeSafetensors, toFloat32 } from "./io/safetensors/safetensors.ts";
export type { SafeTensor, Safetensors } from "./io/safetensors/safetensors.ts";
export type { SafeDtype, SafetensorsHeader } from "./io/safetensors/header.ts";
export { lineChart } from "./io/charts/line-chart.ts";
export type { ChartLine, ChartOptions } from "./io/charts/line-chart.ts";
export { loadImage } from "./io/images/load-image.ts";
export type { LoadImageOptions } from "./io/images/load-image.ts";
export { layoutGrid } from "./io/images/grid.ts";
export type { GridOptions } from "./io/images/grid.ts";
export { fromBytes, toBytes } from "./io/images/pixels.ts";
export type { ImageBatch, Picture } from "./io/images/pixels.ts";

// Tensors and the devices that run them
export { Tensor, concatenate, dotGeneral, full, iota, literal, scalar, scatterAdd, valueOf } from "./tensor/tensor.ts";
export type { DotDimensions, TensorLike } from "./tensor/tensor.ts";
export {
  averagePool,
  conv2d,
  crossEntropyLoss,
  gelu,
  geluTanh,
  huber,
  huberLoss,
  l1Loss,
  logSoftmax,
  mseLoss,
  silu,
  softmax,
  upsampleNearest,
} from "./tensor/functions/functions.ts";
export type { Conv2dOptions, Conv2dPadding } from "./tensor/functions/functions.ts";
export { groupNorm, layerNorm } from "./tensor/functions/norm.ts";
export type { GroupNormOptions, LayerNormParameters } from "./tensor/functions/norm.ts";
export { grad } from "./tensor/autodiff/grad.ts";
export { RandomStream } from "./tensor/random.ts";
export { Variable } from "./tensor/variable.ts";
export type { VariableOptions } from "./tensor/variable.ts";
export { concatenateArrays, ndarray, sliceArray } from "./tensor/ndarray.ts";
export type { NdArray } from "./tensor/ndarray.ts";
export type { DType, TypedArray } from "./tensor/dtype.ts";
export type { Graph, Update } from "./tensor/graph.ts";
export type { Comparison, Op } from "./tensor/op.ts";
export type { Shape } from "./tensor/shape.ts";
export type { Backend, BackendOptions, ByteCache, Executable } from "./backend/backend.ts";
export type { Precision, PrecisionOption } from "./backend/common/precision.ts";
export { compile } from "./backend/compile.ts";
export { evaluate } from "./backend/evaluate.ts";
export type { Compiled, Traced } from "./backend/compile.ts";
export { createBackend, defaultBackend } from "./backend/default.ts";
export { withSpareDevice } from "./backend/spare-device.ts";
export type { SpareDeviceOptions } from "./backend/spare-device.ts";
export { DeviceLost } from "./backend/common/device-lost.ts";
export { OutOfMemory } from "./backend/common/out-of-memory.ts";
export { ReferenceBackend } from "./backend/reference/backend.ts";
