import type { FilterGradientKernel } from "../../compiler/program.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { emitPixel } from "./convolution.ts";
import { emitElements } from "./dot.ts";
import { decode } from "./grid.ts";
import { chooseTile, emitProduct } from "./matrix-product.ts";
import { ShaderWriter } from "./shader.ts";
import type { Dispatch, ShaderBuffers } from "./shader.ts";

/** As a matrix product for each part of the batch: (window, channels) x pixels x out channels. */
export function emitFilterGradient(kernel: FilterGradientKernel, buffers: ShaderBuffers): Dispatch {
  const { shape, parts, input, cotangent, result } = kernel;
  const rows = sizeOf([...shape.kernel, shape.inChannels]);
  const columns = shape.outChannels;
  const images = shape.batch / parts;
  const inner = sizeOf([images, ...shape.output]);
  const shader = new ShaderWriter(buffers, columns % 4 === 0 ? [cotangent] : []);
  emitPixel(shader, shape, input);

  const product = {
    name: "filterGradient",
    batches: parts,
    rows,
    columns,
    inner,
    lhsAlongRows: true,
    lhs: () => {
      shader.line(`if (row >= ${rows}) { return vec4<f32>(); }`);
      shader.function(`pixel_window(batch: i32, row: i32, pixel: i32) -> f32`, () => {
        const [image, y, x] = decode(shader, [images, ...shape.output], "pixel", "pixel");
        const whole = parts === 1 ? image : image === "0" ? `batch * ${images}` : `batch * ${images} + ${image}`;
        shader.line(`return window(${whole}, ${y}, ${x}, row);`);
      });
      emitElements(shader, inner, "inner", (i) => `pixel_window(batch, row, inner + ${i})`);
    },
    rhs: () => {
      shader.line(`if (inner >= ${inner}) { return vec4<f32>(); }`);
      const pixel = parts === 1 ? "inner" : `(batch * ${inner} + inner)`;
      const index = shader.bind("at", `${pixel} * ${columns} + column`);
      if (!shader.isVector(cotangent)) {
        emitElements(shader, columns, "column", (i) => shader.load(cotangent, `${index} + ${i}`));
        return;
      }
      shader.line(`if (column >= ${columns}) { return vec4<f32>(); }`);
      shader.line(`return ${shader.loadVector(cotangent, index)};`);
    },
    store: () => {
      const index = shader.bind("at", `(batch * ${rows} + row) * ${columns} + column`);
      shader.store(result, index, "product");
    },
  };
  return emitProduct(shader, product, chooseTile(product));
}
