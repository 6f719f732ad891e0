import type { Collective } from "../../training/collective/collective.ts";

/** The numbers of all ranks, by rank. Each may have as many as it likes. */
export async function gatherNumbers(collective: Collective, own: Float32Array): Promise<Float32Array[]> {
  const { rank, size } = collective;
  const lengths = new Float64Array(size);
  lengths[rank] = own.length;
  await collective.allReduce(lengths);
  const ends = [...lengths.keys()].map((i) => lengths.subarray(0, i + 1).reduce((sum, length) => sum + length, 0));
  // One block that all add their own part to: the others' are zeros.
  const all = new Float32Array(ends[size - 1]);
  all.set(own, ends[rank] - own.length);
  await collective.allReduce(all);
  return ends.map((end, i) => all.subarray(end - lengths[i], end));
}
