import type { ConvolutionKernel, ConvolutionShape, Expression } from "../../compiler/program.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { Evaluator, countUses } from "./evaluator.ts";
import { decode } from "./grid.ts";
import { emitElements } from "./dot.ts";
import { chooseTile, emitProduct } from "./matrix-product.ts";
import { ShaderWriter } from "./shader.ts";
import type { Code, Dispatch, ShaderBuffers } from "./shader.ts";

/** As an implicit matrix product: pixels x (window, channels) x out channels. */
export function emitConvolution(kernel: ConvolutionKernel, buffers: ShaderBuffers): Dispatch {
  const { shape, input, weight, axes, stores } = kernel;
  const columns = shape.outChannels;
  const inner = sizeOf([...shape.kernel, shape.inChannels]);
  const rows = sizeOf([shape.batch, ...shape.output]);
  const shader = new ShaderWriter(buffers, columns % 4 === 0 ? [weight] : []);
  emitPixel(shader, shape, input);

  const product = {
    name: "convolution",
    batches: 1,
    rows,
    columns,
    inner,
    lhsAlongRows: false,
    lhs: () => {
      shader.line(`if (row >= ${rows}) { return vec4<f32>(); }`);
      const [image, y, x] = decode(shader, [shape.batch, ...shape.output], "row", "pixel");
      emitElements(shader, inner, "inner", (i) => `window(${image}, ${y}, ${x}, inner + ${i})`);
    },
    rhs: () => {
      shader.line(`if (inner >= ${inner}) { return vec4<f32>(); }`);
      const index = `inner * ${columns} + column`;
      if (!shader.isVector(weight)) {
        emitElements(shader, columns, "column", (i) => shader.load(weight, `${index} + ${i}`));
        return;
      }
      shader.line(`if (column >= ${columns}) { return vec4<f32>(); }`);
      shader.line(`return ${shader.loadVector(weight, index)};`);
    },
    store: () => {
      const at = [...decode(shader, axes.slice(0, 3), "row"), "column"];
      new Evaluator(shader, countUses(stores.map((store) => store.value)), { at, results: ["product"] }).store(stores);
    },
  };
  return emitProduct(shader, product, chooseTile(product));
}

/** Functions that give an element of the padded image that a result's pixel and a place in its window lead to. */
export function emitPixel(shader: ShaderWriter, shape: ConvolutionShape, input: Expression): void {
  const { input: size, kernel, strides, padding, inChannels } = shape;
  shader.function("window(image: i32, y: i32, x: i32, place: i32) -> f32", () => {
    const [ky, kx, channel] = decode(shader, [...kernel, inChannels], "place", "k");
    const along = (at: Code, k: Code, axis: 0 | 1): Code => {
      const terms = [strides[axis] === 1 ? at : `${at} * ${strides[axis]}`, ...(k === "0" ? [] : [k])];
      return terms.join(" + ") + (padding[axis][0] === 0 ? "" : ` - ${padding[axis][0]}`);
    };
    shader.line(`let row = ${along("y", ky, 0)};`);
    shader.line(`let column = ${along("x", kx, 1)};`);
    const isPadded = padding.flat().some((n) => n > 0);
    if (isPadded) shader.line(`if (row < 0 || row >= ${size[0]} || column < 0 || column >= ${size[1]}) { return 0f; }`);
    const at = [shape.batch === 1 ? "0" : "image", "row", "column", channel];
    shader.line(`return ${new Evaluator(shader, countUses([input]), { at }).value(input)};`);
  });
}
