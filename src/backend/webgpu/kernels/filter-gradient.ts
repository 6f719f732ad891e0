import type { FilterGradientKernel } from "../../../compiler/program.ts";
import { ShaderWriter } from "../emit/shader.ts";
import { Sizes } from "../emit/sizes.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { ShaderBuffers } from "../emit/shader.ts";
import { emitProduct } from "./matrix-product.ts";
import { linearOperand } from "./operand.ts";
import { productSize } from "./product-size.ts";
import type { Tile } from "./tile.ts";
import { imageVectors, windowColumns } from "./window.ts";

/** As a matrix product for each part of the batch. */
export function emitFilterGradient(kernel: FilterGradientKernel, buffers: ShaderBuffers, tile: Tile): Dispatch {
  const { shape, input, cotangent, result } = kernel;
  const size = productSize(kernel);
  const { rows, columns } = size;
  const storesVectors = columns % 4 === 0;
  const loaded = imageVectors(shape, input);
  const vectors = [...(loaded ?? []), ...(storesVectors ? [cotangent, result] : [])];
  // Element by element, windows are divided in the loop: by what the compiler knows.
  const shader = new ShaderWriter(buffers, vectors, loaded ? new Sizes() : undefined);

  const product = {
    name: "filterGradient",
    ...size,
    isSumInParts: true,
    lhsAlongRows: true,
    lhs: windowColumns({ shader, shape, input, inFours: loaded !== undefined }),
    rhs: linearOperand(shader, {
      buffer: cotangent,
      inFours: storesVectors,
      along: "outer",
      outer: columns,
      step: columns,
      index: (_, column) => column,
    }),
    storesVectors,
    store: () => {
      const index = shader.bind("at", `(batch * ${shader.anySize(rows)} + row) * ${shader.anySize(columns)} + column`);
      if (storesVectors) shader.storeVector(result, index, "product");
      else shader.store(result, index, "product");
    },
  };
  return emitProduct(shader, product, tile);
}
