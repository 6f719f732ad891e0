import { SIDE } from "../common/garment-sizes.ts";
import { GARMENTS_DRAWN } from "./settings.ts";

/** One moment of a drawing: gray levels from 0 to 255 of 16 pictures of 28 x 28, one picture after the other. */
export type Moment = Uint8Array;

const BYTES = GARMENTS_DRAWN * SIDE ** 2;
/** Gray levels that are kept: noise is not to be compressed, and nobody sees more of them in it. */
const LEVELS = 32;
const GAP = 255 / (LEVELS - 1);

/** What a level may be off by once it was packed. */
export const MOST_OFF = GAP / 2;

/** A small file of moments: the last one, and how each differs from the one after it, which is little. */
export async function packMoments(moments: readonly Moment[]): Promise<Uint8Array<ArrayBuffer>> {
  const kept = moments.map((moment) => moment.map((level) => Math.round(level / GAP))).toReversed();
  const changes = kept.map((moment, i) => moment.map((level, k) => level - (i === 0 ? 0 : kept[i - 1][k])));
  return through(new Blob(changes.map((change) => Uint8Array.from(change))), new CompressionStream("gzip"));
}

/** What was packed. @throws Error of one line if that is another file */
export async function unpackMoments(file: Uint8Array<ArrayBuffer>): Promise<readonly Moment[]> {
  const changes = await through(new Blob([file]), new DecompressionStream("gzip"));
  if (changes.length === 0 || changes.length % BYTES !== 0) {
    throw new Error(`moments of a drawing: need ${BYTES} bytes each, got ${changes.length} of all`);
  }
  const level = new Uint8Array(BYTES);
  const moments = Array.from({ length: changes.length / BYTES }, (_, i) => {
    for (let k = 0; k < BYTES; k++) level[k] += changes[i * BYTES + k];
    return level.map((value) => Math.round(value * GAP));
  });
  return moments.toReversed();
}

async function through(bytes: Blob, stream: GenericTransformStream): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(bytes.stream().pipeThrough(stream)).arrayBuffer());
}
