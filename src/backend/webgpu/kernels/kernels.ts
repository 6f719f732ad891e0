import { operandsRead, operandsWritten } from "../../../compiler/accesses.ts";
import type { Buffer, Kernel } from "../../../compiler/program.ts";
import { emitAttention, emitAttentionGradient } from "./attention/attention.ts";
import { emitConvolution } from "./convolution.ts";
import { emitDot } from "./dot.ts";
import { emitFilterGradient } from "./filter-gradient.ts";
import { emitMap } from "./map.ts";
import { emitReduce } from "./reduce/reduce.ts";
import { isProduct, productSize } from "./product-size.ts";
import type { ProductKernel } from "./product-size.ts";
import type { AdapterTraits } from "../emit/adapter.ts";
import type { Dispatch, Pack } from "../emit/dispatch.ts";
import type { ShaderBuffers } from "../emit/shader.ts";
import { WORD_BYTES } from "../emit/storage.ts";
import type { Storage } from "../emit/storage.ts";
import { chooseTile } from "./tile.ts";
import type { Tile } from "./tile.ts";

/**
 * One kernel as a compute shader.
 *
 * @param tile how a product is computed; by its size unless given
 */
export function emitKernel(kernel: Kernel, storage: Storage, adapter: AdapterTraits, tile?: Tile): Dispatch {
  const buffers = buffersOf(kernel, storage, adapter);
  if (isProduct(kernel)) return emitTiled(kernel, buffers, tile ?? chooseTile(productSize(kernel), adapter));
  switch (kernel.kind) {
    case "map":
      return emitMap(kernel, buffers);
    case "reduce":
      return emitReduce(kernel, buffers);
    case "attention":
      return emitAttention(kernel, buffers);
    case "attentionGradient":
      return emitAttentionGradient(kernel, buffers);
    default:
      throw new Error(`internal: webgpu: there is no kernel for ${kernel.kind}`);
  }
}

function emitTiled(kernel: ProductKernel, buffers: ShaderBuffers, tile: Tile): Dispatch {
  switch (kernel.kind) {
    case "dot":
      return emitDot(kernel, buffers, tile);
    case "convolution":
      return emitConvolution(kernel, buffers, tile);
    case "filterGradient":
      return emitFilterGradient(kernel, buffers, tile);
  }
}

/** Where an adapter binds fewer buffers than a kernel uses, the smallest that it only reads share one. */
function buffersOf(kernel: Kernel, storage: Storage, adapter: AdapterTraits): ShaderBuffers {
  const { maxStorageBuffersPerShaderStage: most } = adapter;
  const writes = new Set(operandsWritten(kernel));
  const reads = [...operandsRead(kernel)].filter((buffer) => !writes.has(buffer));
  const excess = writes.size + reads.length - most;
  if (excess <= 0) return { writes, storage, adapter };
  const packed = reads.toSorted((a, b) => a.length - b.length).slice(0, excess + 1);
  if (packed.length <= excess)
    throw new Error(`webgpu: a kernel writes ${writes.size} buffers, and this adapter binds ${most} at a time`);
  return { writes, storage, adapter, pack: packOf(packed, storage) };
}

function packOf(buffers: readonly Buffer[], storage: Storage): Pack {
  const offsets = new Map<Buffer, number>();
  let length = 0;
  for (const buffer of buffers) {
    offsets.set(buffer, length);
    length += storage.bytesOf(buffer) / WORD_BYTES;
  }
  return { buffer: { id: -1, dtype: "u32", length, source: { kind: "temporary" } }, offsets };
}
