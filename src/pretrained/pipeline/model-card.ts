import type { Scheduler } from "../../diffusion/schedulers/scheduler.ts";
import type { DiffusionModel } from "../../models/model.ts";

/** What a README.md tells of a model; what is left out is not said. */
export interface ModelCard {
  /** Its heading. */
  readonly title?: string | undefined;
  /** What it was trained on: a dataset's name and how many images. */
  readonly trainedOn?: string | undefined;
  /** A dataset's name on the hub, for its list of models. */
  readonly dataset?: string | undefined;
  /** The name of a model on the hub that its training started from. */
  readonly baseModel?: string | undefined;
  readonly licence?: string | undefined;
  /** How it was trained, one fact a line: `1,000 steps of 64 images`. */
  readonly training?: readonly string[] | undefined;
  /** Seed of the training. */
  readonly seed?: number | undefined;
  /** Steps in which it usually draws. */
  readonly steps?: number | undefined;
  /** Images that it has drawn, as PNG. */
  readonly samples?: { readonly png: Uint8Array; readonly seed?: number | undefined } | undefined;
}

/** A model card as the hub reads it: what machines look for between lines of dashes, then a text for people. */
export function modelCard(
  {
    className,
    model,
    scheduler,
  }: { readonly className: string; readonly model: DiffusionModel; readonly scheduler: Scheduler },
  {
    title = "A diffusion model",
    trainedOn,
    dataset,
    baseModel,
    licence,
    training = [],
    seed,
    steps,
    samples,
  }: ModelCard,
): { readonly text: string; readonly pictures: ReadonlyMap<string, Uint8Array> } {
  const metadata = [
    "library_name: diffusers",
    "pipeline_tag: unconditional-image-generation",
    "tags: [diffusers, unconditional-image-generation, unnoise]",
    ...(licence === undefined ? [] : [`license: ${yaml(licence)}`]),
    ...(dataset === undefined ? [] : [`datasets: [${yaml(dataset)}]`]),
    ...(baseModel === undefined ? [] : [`base_model: ${yaml(baseModel)}`]),
  ];
  const facts = [
    ...(trainedOn === undefined ? [] : [`Trained on ${line(trainedOn)}.`]),
    ...(baseModel === undefined ? [] : [`Training started from ${line(baseModel)}.`]),
    ...training.map((fact) => `${line(fact)}.`),
    ...(seed === undefined ? [] : [`Seed of the training: ${seed}.`]),
  ];
  const parameters = model.parameterCount().toLocaleString("en-US");
  const { num_train_timesteps: timesteps, prediction_type: predicts } = scheduler.config;
  const picture = samples && [
    "## Samples",
    `![Images that the model has drawn](samples.png)`,
    ...(samples.seed === undefined ? [] : [`Seed ${samples.seed}.`]),
  ];
  const text = [
    ["---", ...metadata, "---"].join("\n"),
    `# ${line(title)}`,
    ...(facts.length > 0 ? [facts.map((fact) => `- ${fact}`).join("\n")] : []),
    `${parameters} parameters; ${String(timesteps)} timesteps, of which it predicts \`${String(predicts)}\`.`,
    ...(picture ?? []),
    "## Use",
    fenced("python", [
      `from diffusers import ${className}`,
      "",
      `pipeline = ${className}.from_pretrained("<this repository or folder>")`,
      `pipeline(${steps === undefined ? "" : `num_inference_steps=${steps}`}).images[0].save("image.png")`,
    ]),
    fenced("ts", [
      'import { DiffusionPipeline, saveGrid } from "unnoise";',
      "",
      'const pipeline = await DiffusionPipeline.fromPretrained("<this repository or folder>");',
      `await saveGrid("images.png", await pipeline.sample({ batchSize: 4, ${steps === undefined ? "" : `steps: ${steps}, `}seed: 0 }));`,
    ]),
  ];
  return { text: `${text.join("\n\n")}\n`, pictures: new Map(samples && [["samples.png", samples.png]]) };
}

function fenced(language: string, lines: readonly string[]): string {
  return [`\`\`\`${language}`, ...lines, "```"].join("\n");
}

/** A text that stays on its line, without what Markdown or HTML would make of it. */
function line(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll(/[<>`[\]\\*_|]/g, (sign) => `\\${sign}`);
}

/** JSON is YAML. */
function yaml(text: string): string {
  return JSON.stringify(text);
}
