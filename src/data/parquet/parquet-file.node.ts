import { brotliDecompressSync, gunzipSync } from "node:zlib";
import type { Compressors, FileMetaData } from "hyparquet";
import { butItIs } from "../../io/content-kind.ts";
import { errorLine } from "../../io/file-errors.node.ts";
import { readRange, readStart, withRegularFile } from "../../io/regular-file.node.ts";
import { imageColumns } from "./features.ts";
import type { ColumnChoice, ParquetColumn } from "./features.ts";

/** The rows of a Parquet file as images. */
export interface ParquetImages {
  /** As they were stored: PNG, JPEG and the like. */
  readonly encoded: readonly Uint8Array[];
  readonly labels: readonly number[] | undefined;
  readonly classNames: readonly string[] | undefined;
}

const MAGIC = "PAR1";
/** Rows that are read at a time. */
const ROWS = 1000;

/**
 * Reads the images of a Parquet file as the library `datasets` stores them: a column of { bytes, path }, and one of labels.
 *
 * @throws Error of one line naming the file if it cannot be read, is something else or damaged, or has no images
 */
export async function readParquetImages(path: string, choice: ColumnChoice): Promise<ParquetImages> {
  const { parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  return withRegularFile(path, async (open) => {
    const start = await readStart(open, Math.min(512, open.bytes));
    if (new TextDecoder().decode(start.subarray(0, 4)) !== MAGIC) {
      throw new Error(`${path}: not a Parquet file${butItIs(start)}`);
    }
    const file = {
      byteLength: open.bytes,
      slice: async (begin: number, end = open.bytes) => (await readRange(open, begin, end)).buffer,
    };
    try {
      const metadata = await parquetMetadataAsync(file);
      const about = metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
      const { image, label, classNames } = imageColumns(columnsOf(metadata), about, choice, path);
      const columns = label === undefined ? [image] : [image, label];
      const encoded: Uint8Array[] = [];
      const labels: number[] = [];
      const count = Number(metadata.num_rows);
      for (let rowStart = 0; rowStart < count; rowStart += ROWS) {
        const rowEnd = Math.min(count, rowStart + ROWS);
        const rows = await parquetReadObjects({ file, metadata, columns, rowStart, rowEnd, utf8: false, compressors });
        for (const [i, row] of (rows as Readonly<Record<string, unknown>>[]).entries()) {
          encoded.push(bytesOf(row[image], `${path}: row ${rowStart + i}: ${image}`));
          if (label !== undefined) labels.push(labelOf(row[label], `${path}: row ${rowStart + i}: ${label}`));
        }
      }
      return { encoded, labels: label === undefined ? undefined : labels, classNames };
    } catch (error) {
      const line = errorLine(error);
      throw line.startsWith(`${path}: `) ? error : new Error(`${path}: cannot read: ${line}`, { cause: error });
    }
  });
}

/** hyparquet itself unpacks snappy. */
const compressors: Compressors = {
  GZIP: (input) => new Uint8Array(gunzipSync(input)),
  BROTLI: (input) => new Uint8Array(brotliDecompressSync(input)),
  ZSTD: (input) => {
    const { zstdDecompressSync } = process.getBuiltinModule("node:zlib") as { zstdDecompressSync?: typeof gunzipSync };
    if (zstdDecompressSync) return new Uint8Array(zstdDecompressSync(input));
    throw new Error("it is compressed with zstd, which needs Node 22.15 or newer");
  },
};

/** The first element of a schema is its root; each one's children follow it. */
function columnsOf({ schema }: FileMetaData): ParquetColumn[] {
  let at = 0;
  const take = (): ParquetColumn => {
    const { name, type, num_children: count = 0 } = schema[at++];
    const fields = Array.from({ length: count }, () => take().name);
    return { name, type, fields };
  };
  const columns: ParquetColumn[] = [];
  const root = schema[at++];
  for (let i = 0; i < (root.num_children ?? 0) && at < schema.length; i++) columns.push(take());
  return columns;
}

function bytesOf(value: unknown, label: string): Uint8Array {
  const bytes = (value as { readonly bytes?: unknown } | null | undefined)?.bytes;
  if (bytes instanceof Uint8Array) return bytes;
  throw new Error(`${label} has no bytes`);
}

function labelOf(value: unknown, label: string): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number)) return number;
  throw new Error(`${label} must be a whole number, got ${String(value)}`);
}
