import { OutOfMemory } from "../../common/out-of-memory.ts";
import { FIRST_ADDRESS } from "../emit/addresses.ts";

/**
 * Words at the start of memory, in bytes: how often threads arrived at a barrier, whether one failed, and how far they are in
 * a program's table.
 */
export const BARRIER_ADDRESS = 64;
export const ABORT_ADDRESS = 128;
export const PROGRESS_ADDRESS = 192;

export const PAGE = 65536;
/** Bytes that wasm32 addresses: 4 GiB. */
export const ADDRESS_LIMIT = 65536 * PAGE;
/** Kernels may read (never write) so far past a buffer's end. */
export const SLACK = 4096;

/** @throws OutOfMemory if so many bytes fit into no memory */
export function checkAddressable(bytes: number): void {
  const end = bytes + FIRST_ADDRESS + SLACK;
  if (end > ADDRESS_LIMIT) throw outOfMemory(end);
}

export function outOfMemory(neededBytes: number): OutOfMemory {
  const gib = (neededBytes / 2 ** 30).toFixed(1);
  const share = Math.floor((ADDRESS_LIMIT / neededBytes) * 100);
  const message =
    share < 100
      ? `wasm: the program needs ${gib} GiB, and WebAssembly addresses 4 GiB; a batch of ${share} % of this size would fit`
      : `wasm: the machine has no ${gib} GiB of memory to give; use a smaller batch`;
  return new OutOfMemory(message, neededBytes);
}
