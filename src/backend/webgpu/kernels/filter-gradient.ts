import type { FilterGradientKernel } from "../../../compiler/program.ts";
import { emitWindow, imageVectors, returnRow } from "./convolution.ts";
import { decode } from "../emit/grid.ts";
import { emitProduct } from "./matrix-product.ts";
import { returnFour } from "./operand-tiles.ts";
import { productSize } from "./product-size.ts";
import { ShaderWriter } from "../emit/shader.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { ShaderBuffers } from "../emit/shader.ts";
import type { Tile } from "./tile.ts";

/** As a matrix product for each part of the batch. */
export function emitFilterGradient(kernel: FilterGradientKernel, buffers: ShaderBuffers, tile: Tile): Dispatch {
  const { shape, parts, input, cotangent, result } = kernel;
  const size = productSize(kernel);
  const { rows, columns, inner } = size;
  const images = shape.batch / parts;
  const storesVectors = columns % 4 === 0;
  const loaded = imageVectors(shape, input);
  const shader = new ShaderWriter(buffers, [...(loaded ?? []), ...(storesVectors ? [cotangent, result] : [])]);
  emitWindow(shader, shape, input, loaded !== undefined);

  const product = {
    name: "filterGradient",
    ...size,
    lhsAlongRows: true,
    lhs: () => {
      shader.line(`if (row >= ${rows} || inner >= ${inner}) { return vec4<f32>(); }`);
      const [image, y, x] = decode(shader, [images, ...shape.output], "inner", "pixel");
      const pixel = `batch * ${images} + ${image}, ${y}, ${x}`;
      if (loaded) shader.line(`return window(${pixel}, row);`);
      else returnFour(shader, rows, "row", (i) => `window(${pixel}, row + ${i})`);
    },
    rhs: () => {
      shader.line(`if (inner >= ${inner}) { return vec4<f32>(); }`);
      returnRow(shader, cotangent, columns, `(batch * ${inner} + inner) * ${columns} + column`);
    },
    storesVectors,
    store: () => {
      const index = shader.bind("at", `(batch * ${rows} + row) * ${columns} + column`);
      if (storesVectors) shader.storeVector(result, index, "product");
      else shader.store(result, index, "product");
    },
  };
  return emitProduct(shader, product, tile);
}
