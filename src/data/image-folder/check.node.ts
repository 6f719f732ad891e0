import { createHash } from "node:crypto";
import { realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { FileCache } from "../../io/file-cache.node.ts";
import { errorLine } from "../../io/file-errors.node.ts";
import { imageSize, probeImage } from "../../io/images/images.node.ts";
import { cacheDirectory } from "../published/cache.node.ts";
import { inParallel } from "./kept-images.ts";
import type { FoundFile } from "./listing.node.ts";

const checkedFile = z.strictObject({
  bytes: z.number(),
  /** When it was changed, in milliseconds. */
  changed: z.number(),
  width: z.number(),
  height: z.number(),
  /** Whether all of it was decoded; else only its header was read. */
  isDecoded: z.boolean(),
  /** Whether it is in colour, where it was decoded. */
  isColour: z.boolean(),
  /** What is wrong with it, as one line without its name. */
  problem: z.optional(z.string()),
});

/** What is known of a file that is taken for an image. */
export type CheckedFile = z.infer<typeof checkedFile>;

const record = z.record(z.string(), checkedFile);

/** Bytes of files that are decoded to see whether they are whole; of those beyond, the headers are read. */
const DECODED_BYTES = 256 * 2 ** 20;

/**
 * Looks at all files once. What was found of a file holds until its size or date changes.
 *
 * @param again looks at all files again, however large, and decodes them
 * @returns as many as files, in their order
 */
export async function checkImages(
  directory: string,
  files: readonly FoundFile[],
  again = false,
): Promise<readonly CheckedFile[]> {
  const cache = new FileCache(join(cacheDirectory(), "checked-images"));
  const key = createHash("sha256")
    .update(await realpath(directory))
    .digest("hex");
  const known = again ? {} : parseRecord(await cache.read(key));
  const checked: CheckedFile[] = [];
  let decodedBytes = 0;
  let isChanged = false;
  await inParallel(files.length, async (index) => {
    const { path, name } = files[index];
    const status = await stat(path).catch(() => undefined);
    const { size: bytes, mtimeMs: changed } = status ?? { size: 0, mtimeMs: 0 };
    decodedBytes += bytes;
    const decode = again || decodedBytes <= DECODED_BYTES;
    const before = Object.hasOwn(known, name) ? known[name] : undefined;
    const holds = before?.bytes === bytes && before.changed === changed && (before.isDecoded || !decode);
    isChanged ||= !holds;
    checked[index] = before && holds ? before : { bytes, changed, ...(await look(path, decode)) };
  });
  if (isChanged) {
    const content = Object.fromEntries(files.map(({ name }, index) => [name, checked[index]]));
    await cache.write(key, new TextEncoder().encode(JSON.stringify(content)));
  }
  return checked;
}

async function look(path: string, decode: boolean): Promise<Omit<CheckedFile, "bytes" | "changed">> {
  try {
    if (decode) return { ...(await probeImage(path)), isDecoded: true };
    const { width, height } = await imageSize(path);
    return { width, height, isDecoded: false, isColour: false };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // A name may have line breaks of its own.
    const problem = errorLine(message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message);
    return { width: 0, height: 0, isDecoded: true, isColour: false, problem };
  }
}

function parseRecord(content: Uint8Array | undefined): Readonly<Record<string, CheckedFile>> {
  if (content === undefined) return {};
  try {
    return z.parse(record, JSON.parse(new TextDecoder().decode(content)));
  } catch {
    return {};
  }
}
