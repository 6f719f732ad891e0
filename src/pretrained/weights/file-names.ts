/** A file that may hold a network's weights, or the list of those that do. */
export interface WeightsFile {
  readonly name: string;
  readonly format: "safetensors" | "pytorch";
  /** Whether it is the index of several files. */
  readonly isIndex: boolean;
}

const STEM = "diffusion_pytorch_model";
/** How the names of files of a format end. */
export const endings = { safetensors: "safetensors", pytorch: "bin" } as const;

/** What diffusers writes into a network's folder, in the order in which it looks for them. */
export function weightsFiles(variant: string | undefined): WeightsFile[] {
  return (["safetensors", "pytorch"] as const).flatMap((format) => {
    const ending = endings[format];
    const single = variant === undefined ? `${STEM}.${ending}` : `${STEM}.${variant}.${ending}`;
    const indices =
      variant === undefined
        ? [`${STEM}.${ending}.index.json`]
        : // The second is of diffusers before 0.29.
          [`${STEM}.${ending}.index.${variant}.json`, `${STEM}.${ending}.${variant}.index.json`];
    // Where there are both, diffusers takes those of the index.
    return [...indices, single].map((name) => ({ name, format, isIndex: name !== single }));
  });
}

/** @throws Error of one line if no file can have this in its name */
export function checkVariant(variant: string | undefined): void {
  if (variant === undefined || /^[\w-]{1,40}$/.test(variant)) return;
  throw new Error(`variant: must be a name such as fp16, got ${JSON.stringify(variant.slice(0, 80))}`);
}
