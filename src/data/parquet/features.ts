import * as z from "zod/mini";
import { check } from "../../config/rules.ts";

/** The columns of a Parquet file that make a dataset of images. */
export interface ImageColumns {
  readonly image: string;
  readonly label: string | undefined;
  /** Names of the classes by label, where the file tells them. */
  readonly classNames: readonly string[] | undefined;
}

/** A column of a Parquet file: its name, those of the fields inside of it, and what its values are. */
export interface ParquetColumn {
  readonly name: string;
  readonly fields: readonly string[];
  readonly type: string | undefined;
}

export interface ColumnChoice {
  readonly imageColumn?: string | undefined;
  readonly labelColumn?: string | undefined;
}

const feature = z.pipe(
  z.looseObject({ _type: z.optional(z.string()), names: z.optional(z.array(z.string())) }),
  z.transform(({ _type: type, names }) => ({ type, names })),
);
/** What the library `datasets` writes into a file's metadata under "huggingface". */
const metadata = z.looseObject({ info: z.looseObject({ features: z.record(z.string(), z.unknown()) }) });

/**
 * Which columns hold the images and their classes: those that are asked for, else the first that the file's metadata calls
 * an image and a class, else the first of bytes and paths, and one named `label`.
 *
 * @param about what the file says under "huggingface", if anything
 * @throws Error of one line naming the file and its columns
 */
export function imageColumns(
  columns: readonly ParquetColumn[],
  about: string | undefined,
  choice: ColumnChoice,
  source: string,
): ImageColumns {
  const features = about === undefined ? {} : featuresOf(about, source);
  const names = columns.map(({ name }) => name);
  const ofType = (type: string): string[] => names.filter((name) => features[name]?.type === type);
  const chosen = (name: string | undefined, option: string): string | undefined => {
    if (name === undefined || names.includes(name)) return name;
    throw new Error(`${source}: ${option} must be one of its columns, ${names.join(", ")}, got ${name}`);
  };
  const stored = columns.filter(({ fields }) => fields.includes("bytes")).map(({ name }) => name);
  const image = chosen(choice.imageColumn, "imageColumn") ?? ofType("Image").at(0) ?? stored.at(0);
  if (image === undefined || !stored.includes(image)) {
    const what = image === undefined ? "" : ` ${image}`;
    throw new Error(`${source}: no column${what} of images, { bytes, path }; it has ${names.join(", ")}`);
  }
  const isWhole = ({ name, type }: ParquetColumn): boolean => name === "label" && /^INT(32|64)$/.test(type ?? "");
  const label = chosen(choice.labelColumn, "labelColumn") ?? ofType("ClassLabel").at(0) ?? columns.find(isWhole)?.name;
  return { image, label, classNames: label === undefined ? undefined : features[label]?.names };
}

function featuresOf(about: string, source: string): Readonly<Record<string, z.infer<typeof feature>>> {
  const label = `${source}: its metadata "huggingface"`;
  let json: unknown;
  try {
    json = JSON.parse(about);
  } catch (error) {
    throw new Error(`${label}: not JSON`, { cause: error });
  }
  const { features } = check(metadata, json, label).info;
  // Others may be lists or anything else.
  return Object.fromEntries(
    Object.entries(features).flatMap(([name, value]) => {
      const { success, data } = z.safeParse(feature, value);
      return success ? [[name, data]] : [];
    }),
  );
}
