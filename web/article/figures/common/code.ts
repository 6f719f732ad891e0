/** A value as TypeScript: like JSON, but keys that are names stand without quotes. */
export function literalOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literalOf).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return `{ ${fields.map(([name, field]) => `${name}: ${literalOf(field)}`).join(", ")} }`;
}

/** The names that a program takes from the package. */
export function importsOf(...names: readonly string[]): string {
  const sorted = [...new Set(names)].toSorted((a, b) => a.localeCompare(b, "en", { sensitivity: "base" }));
  return `import { ${sorted.join(", ")} } from "unnoise";\n`;
}

/** A picture of a figure: a garment of the test images, or bytes of the reader's own. */
export type PictureSource =
  | { readonly garment: number }
  | { readonly bytes: Uint8Array; readonly shape: readonly [1, number, number, number] };

/** The names that {@link pictureCode} needs. */
export const PICTURE_NAMES = ["fashionMnist", "fromBytes", "ndarray"];

/** Lines that make a picture of [1, height, width, channels] within [-1, 1]. */
export function pictureCode(source: PictureSource, name = "picture"): string {
  if ("garment" in source) {
    return `const ${name}Bytes = new Uint8Array(28 * 28);
await (await fashionMnist({ split: "test" })).read([${source.garment}], ${name}Bytes);
const ${name} = ndarray(fromBytes(${name}Bytes), [1, 28, 28, 1]);
`;
  }
  const text = btoa(String.fromCharCode(...source.bytes));
  return `const ${name}Bytes = Uint8Array.from(atob("${text}"), (letter) => letter.charCodeAt(0));
const ${name} = ndarray(fromBytes(${name}Bytes), [${source.shape.join(", ")}]);
`;
}

export const DRAWER_NAMES = ["GaussianDiffusion", "diffusionFromCheckpoint", "modelFromCheckpoint", "readCheckpoint"];

/** Lines that read the model that comes with unnoise. */
export const DRAWER_CODE = `const checkpoint = await readCheckpoint("data/fashion-mnist-classes/model.safetensors");
const model = await modelFromCheckpoint(checkpoint);
const diffusion = diffusionFromCheckpoint(checkpoint);
`;
