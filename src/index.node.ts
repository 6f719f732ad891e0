// The package's entry in Node: the library, and what needs files.
export * from "./index.ts";

// Data
export { cifar10 } from "./data/published/cifar10.node.ts";
export { fashionMnist } from "./data/published/fashion-mnist.node.ts";
export { mnist } from "./data/published/mnist.node.ts";
export type { DownloadProgress } from "./data/published/download.node.ts";
export type { PublishedOptions, Split } from "./data/published/published.node.ts";
export { idxPair } from "./data/idx.node.ts";
export type { IdxPairOptions } from "./data/idx.node.ts";
export { imageFolder } from "./data/image-folder/image-folder.node.ts";
export type { ImageFolder, ImageFolderOptions } from "./data/image-folder/image-folder.node.ts";
export { parquetDataset } from "./data/parquet/parquet-dataset.node.ts";
export type { ParquetDataset, ParquetDatasetOptions } from "./data/parquet/parquet-dataset.node.ts";
export { hubDataset } from "./pretrained/hub-dataset.node.ts";
export type { HubDatasetOptions } from "./pretrained/hub-dataset.node.ts";
export type { HubOptions } from "./pretrained/hub/settings.node.ts";

// Runs
export { RunDirectory, latestCheckpoint, openCheckpoint, readCheckpoint } from "./checkpoint/run-directory.node.ts";
export type { LatestCheckpoint, RunDirectoryOptions } from "./checkpoint/run-directory.node.ts";

// Evaluation
export { fashionMnistClassifier, readClassifier, writeClassifier } from "./evaluation/features/classifier-file.node.ts";
export { cachedReference } from "./evaluation/features/feature-cache.node.ts";
export type { CachedReferenceOptions } from "./evaluation/features/feature-cache.node.ts";

// Sites
export { compileAhead } from "./backend/compile-ahead.node.ts";
export type { CompileAheadOptions, PageKind } from "./backend/compile-ahead.node.ts";

// Files
export { readPytorch } from "./io/pytorch/pytorch.node.ts";
export { readSafetensors, readSafetensorsHeader, writeSafetensors } from "./io/safetensors/safetensors.node.ts";
export { decodeImage, encodePng, loadImage, saveGrid, savePicture } from "./io/images/images.node.ts";
export type { DecodeOptions } from "./io/images/images.node.ts";
export { saveChart } from "./io/charts/charts.node.ts";
export { saveAnimation } from "./io/images/animation.node.ts";
export type { AnimationOptions } from "./io/images/animation.node.ts";

export { MpiCollective } from "./training/collective/mpi/mpi.node.ts";
export type { MpiOptions } from "./training/collective/mpi/mpi.node.ts";
