import type { Collective } from "../../training/collective/collective.ts";

/** What rank 0 has found, at all ranks. It must be what JSON can say. @param find is asked at rank 0 alone */
export async function fromFirst<Value>(collective: Collective, find: () => Promise<Value> | Value): Promise<Value> {
  if (collective.size === 1) return find();
  const own = collective.rank === 0 ? await find() : undefined;
  const bytes = new TextEncoder().encode(JSON.stringify(own ?? null));
  const length = Float64Array.of(bytes.length);
  await collective.broadcast(length);
  const text = collective.rank === 0 ? bytes : new Uint8Array(length[0]);
  await collective.broadcast(text);
  return own ?? (JSON.parse(new TextDecoder().decode(text)) as Value);
}
