import * as z from "zod/mini";
import { check } from "../../config/rules.ts";
import { quoteName } from "../../io/safetensors/header.ts";

/** Which file has which tensors, as `*.index.json` says. */
export interface ShardIndex {
  /** Names of all tensors. */
  readonly tensors: readonly string[];
  /** Names of tensors by that of their file, in the order of the files' names. */
  readonly shards: ReadonlyMap<string, ReadonlySet<string>>;
  /** Bytes of all tensors, where it says so. */
  readonly totalBytes: number | undefined;
}

const index = z.object({
  metadata: z.optional(z.nullable(z.looseObject({ total_size: z.optional(z.number()) }))),
  weight_map: z.record(z.string(), z.string()),
});

/** @throws Error of one line naming the file and the field that is not as it should be */
export function readShardIndex(value: unknown, source: string, ending: string): ShardIndex {
  const { metadata, weight_map: map } = check(index, value, source);
  const shards = new Map<string, Set<string>>();
  for (const [tensor, file] of Object.entries(map)) {
    if (!/^[\w.-]+$/.test(file) || !file.endsWith(`.${ending}`) || file.startsWith(".")) {
      throw new Error(
        `${source}: weight_map ${quoteName(tensor)} must name a .${ending} file beside it, got ${quoteName(file)}`,
      );
    }
    const own = shards.get(file) ?? new Set();
    own.add(tensor);
    shards.set(file, own);
  }
  if (shards.size === 0) throw new Error(`${source}: weight_map must name tensors, got none`);
  const totalBytes = metadata?.total_size;
  if (totalBytes !== undefined && !(Number.isSafeInteger(totalBytes) && totalBytes >= 0)) {
    throw new Error(`${source}: metadata.total_size must be a number of bytes, got ${totalBytes}`);
  }
  return {
    tensors: Object.keys(map),
    shards: new Map([...shards].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    totalBytes,
  };
}

/** @throws Error of one line if a file has other tensors than the index says */
export function checkShard(file: string, names: readonly string[], expected: ReadonlySet<string>): void {
  const other = names.find((name) => !expected.has(name));
  if (other !== undefined) throw new Error(`${file}: has tensor ${quoteName(other)}, which the index has elsewhere`);
  const there = new Set(names);
  const missing = [...expected].find((name) => !there.has(name));
  if (missing !== undefined) throw new Error(`${file}: lacks tensor ${quoteName(missing)}, which the index names`);
}
