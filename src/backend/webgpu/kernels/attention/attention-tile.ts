import type { AdapterTraits } from "../../emit/adapter.ts";

/** What a workgroup works on: rows whose sums it keeps, and columns that it goes over block by block. */
export interface AttentionTile {
  readonly rows: number;
  readonly columns: number;
}

/** 16 KiB of workgroup memory with 128 invocations. */
const TILE: AttentionTile = { rows: 64, columns: 32 };
const SMALL_TILE: AttentionTile = { rows: 16, columns: 16 };

export function chooseAttentionTile({ smallTiles }: Pick<AdapterTraits, "smallTiles">): AttentionTile {
  return smallTiles ? SMALL_TILE : TILE;
}

/** Rows and columns of similarities that an invocation computes. */
export const EACH = 4;
/** Channels of which operands are in workgroup memory at a time, in fours, and the fours from a token to the next: one more, for the banks. */
export const CHUNK = 4;
export const PITCH = CHUNK + 1;
