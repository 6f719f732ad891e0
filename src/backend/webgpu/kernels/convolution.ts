import type { Buffer, ConvolutionKernel, ConvolutionShape, Expression } from "../../../compiler/program.ts";
import { countUses } from "../../common/codegen/uses.ts";
import { ExpressionEmitter } from "../emit/expression-emitter.ts";
import { decode } from "../emit/grid.ts";
import { emitProduct } from "./matrix-product.ts";
import { returnFour } from "./operand-tiles.ts";
import { productSize } from "./product-size.ts";
import { ShaderWriter } from "../emit/shader.ts";
import type { Dispatch } from "../emit/dispatch.ts";
import type { Code, ShaderBuffers } from "../emit/shader.ts";
import type { Tile } from "./tile.ts";
import { storedAxis, vectorBuffers } from "../emit/vectors.ts";

/** As an implicit matrix product. */
export function emitConvolution(kernel: ConvolutionKernel, buffers: ShaderBuffers, tile: Tile): Dispatch {
  const { shape, input, weight, axes, stores } = kernel;
  const size = productSize(kernel);
  const { rows, columns, inner } = size;
  const loaded = imageVectors(shape, input);
  const channel = storedAxis(kernel);
  const stored = vectorBuffers([], stores, axes, channel);
  const shader = new ShaderWriter(buffers, [
    ...(loaded ?? []),
    ...(stored ?? []),
    ...(columns % 4 === 0 ? [weight] : []),
  ]);
  emitWindow(shader, shape, input, loaded !== undefined);

  const product = {
    name: "convolution",
    ...size,
    lhsAlongRows: false,
    lhs: () => {
      shader.line(`if (row >= ${rows}${loaded ? ` || inner >= ${inner}` : ""}) { return vec4<f32>(); }`);
      const pixel = decode(shader, [shape.batch, ...shape.output], "row", "pixel").join(", ");
      if (loaded) shader.line(`return window(${pixel}, inner);`);
      else returnFour(shader, inner, "inner", (i) => `window(${pixel}, inner + ${i})`);
    },
    rhs: () => {
      shader.line(`if (inner >= ${inner}) { return vec4<f32>(); }`);
      returnRow(shader, weight, columns, `inner * ${columns} + column`);
    },
    storesVectors: stored !== undefined,
    store: () => {
      const at = [...decode(shader, axes.slice(0, 3), "row"), "column"];
      const point = { at, results: ["product"], vectorAxis: stored && channel };
      new ExpressionEmitter(shader, countUses(stores.map((store) => store.value)), point).store(stores);
    },
  };
  return emitProduct(shader, product, tile);
}

/** Returns four columns from `column` on of a matrix that lies in memory row by row. */
export function returnRow(shader: ShaderWriter, buffer: Buffer, columns: number, index: Code): void {
  if (columns % 4 !== 0) {
    const first = shader.bind("at", index);
    returnFour(shader, columns, "column", (i) => shader.load(buffer, `${first} + ${i}`));
    return;
  }
  shader.line(`if (column >= ${columns}) { return vec4<f32>(); }`);
  shader.line(`return ${shader.loadVector(buffer, index)};`);
}

/** The buffers of an image that is read four channels at a time, if it can be. */
export function imageVectors(shape: ConvolutionShape, input: Expression): Set<Buffer> | undefined {
  return vectorBuffers([input], [], [shape.batch, ...shape.input, shape.inChannels], 3);
}

/**
 * A function that gives what a result's pixel and a place in its window, counted over rows, columns and channels, lead
 * to: an element of the padded image, or four channels of it.
 */
export function emitWindow(shader: ShaderWriter, shape: ConvolutionShape, input: Expression, four: boolean): void {
  const { input: size, kernel, strides, padding, inChannels } = shape;
  const type = four ? "vec4<f32>" : "f32";
  shader.function(`window(image: i32, y: i32, x: i32, place: i32) -> ${type}`, () => {
    const [ky, kx, channel] = decode(shader, [...kernel, inChannels], "place", "k");
    const along = (at: Code, k: Code, axis: 0 | 1): Code => {
      const terms = [strides[axis] === 1 ? at : `${at} * ${strides[axis]}`, ...(k === "0" ? [] : [k])];
      return terms.join(" + ") + (padding[axis][0] === 0 ? "" : ` - ${padding[axis][0]}`);
    };
    shader.line(`let row = ${along("y", ky, 0)};`);
    shader.line(`let column = ${along("x", kx, 1)};`);
    if (padding.flat().some((n) => n > 0))
      shader.line(`if (row < 0 || row >= ${size[0]} || column < 0 || column >= ${size[1]}) { return ${type}(); }`);
    const at = [shape.batch === 1 ? "0" : "image", "row", "column", channel];
    shader.line(
      `return ${new ExpressionEmitter(shader, countUses([input]), { at, vectorAxis: four ? 3 : undefined }).value(input)};`,
    );
  });
}
