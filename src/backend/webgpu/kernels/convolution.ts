import type { ConvolutionKernel } from "../../../compiler/program.ts";
import { coalesce } from "../../../compiler/lower/axes.ts";
import { countUses } from "../../common/codegen/uses.ts";
import { ExpressionEmitter } from "../emit/expression-emitter.ts";
import { decode } from "../emit/grid.ts";
import { ShaderWriter } from "../emit/shader.ts";
import { Sizes } from "../emit/sizes.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { ShaderBuffers } from "../emit/shader.ts";
import { vectorBuffers } from "../emit/vectors.ts";
import { emitProduct } from "./matrix-product.ts";
import { linearOperand } from "./operand.ts";
import { productSize } from "./product-size.ts";
import type { Tile } from "./tile.ts";
import { imageVectors, windowRows } from "./window.ts";

/** As an implicit matrix product. */
export function emitConvolution(kernel: ConvolutionKernel, buffers: ShaderBuffers, tile: Tile): Dispatch {
  const { shape, input, weight, parts = 1 } = kernel;
  const groups = [parts === 1 ? 0 : 1, 3, 1];
  const { axes, stores } = coalesce({ axes: kernel.axes, groups, stores: kernel.stores, values: [], views: [] });
  const size = productSize(kernel);
  const { columns, inner } = size;
  const loaded = imageVectors(shape, input);
  const channel = axes.length - 1;
  const stored = vectorBuffers([], stores, axes, channel);
  const rhsInFours = columns % 4 === 0;
  const vectors = [...(loaded ?? []), ...(stored ?? []), ...(rhsInFours ? [weight] : [])];
  // Element by element, windows are divided in the loop: by what the compiler knows.
  const shader = new ShaderWriter(buffers, vectors, loaded ? new Sizes() : undefined);
  const image = { shader, shape, input, inFours: loaded !== undefined };
  const tilesAreWhole = parts === 1 || inner % tile.inner === 0;

  const product = {
    name: "convolution",
    ...size,
    isSumInParts: true,
    lhsAlongRows: false,
    lhs: windowRows(image, tilesAreWhole && shape.inChannels % tile.inner === 0),
    rhs: linearOperand(shader, {
      buffer: weight,
      inFours: rhsInFours,
      along: "outer",
      outer: columns,
      step: columns,
      index: (_, column) => column,
    }),
    storesVectors: stored !== undefined,
    store: () => {
      const pixel = decode(shader, axes.slice(parts === 1 ? 0 : 1, -1), "row", "row");
      const at = [...(parts === 1 ? [] : ["batch"]), ...pixel, "column"];
      const point = { at, results: ["product"], vectorAxis: stored && channel };
      new ExpressionEmitter(shader, countUses(stores.map((store) => store.value)), point).store(stores);
    },
  };
  return emitProduct(shader, product, tile);
}
