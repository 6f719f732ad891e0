import type { FilterGradientKernel } from "../../../../compiler/program.ts";
import type { Integer } from "../../assembly/instruction.ts";
import { i32 } from "../../assembly/scalar-instructions.ts";
import { plus } from "../../emit/addresses.ts";
import { KernelBuilder } from "../kernel-builder.ts";
import type { KernelCode, KernelOptions } from "../kernel-builder.ts";
import { paddedColumns, planPanels } from "../panels.ts";
import { emitProduct } from "../tiles.ts";
import { loadedBuffer, imageLayout } from "./transform-kernel.ts";
import { schemes } from "./scheme.ts";
import type { TileSize } from "./scheme.ts";
import { pointLayout, pointSquares } from "./tiles.ts";
import { emitTransform, transformsOf } from "./transform.ts";
import { channelsPerTask } from "./wide-convolution.ts";

/**
 * The gradient of what emitWideWinograd computes: transformed windows times transformed cotangents for some in and some out
 * channels, summed over all tiles of the batch, and transformed back. Both were transformed ahead.
 */
export function emitWideFilterGradient(
  kernel: FilterGradientKernel,
  tile: TileSize,
  options: KernelOptions,
): KernelCode {
  const target = new KernelBuilder(options);
  const { code, task } = target;
  const { shape } = kernel;
  const { inChannels, outChannels } = shape;
  const scheme = schemes[tile];
  const [height, width] = [channelsPerTask(inChannels), channelsPerTask(outChannels)];
  const panels = planPanels(width, options.wide, "filter");
  const padded = paddedColumns(panels);
  const [windows, cotangents] = [imageLayout(shape, tile, inChannels), imageLayout(shape, tile, outChannels)];
  const tilesPerImage = shape.output.reduce((count, n) => count * Math.ceil(n / tile), 1);
  const sumLayout = pointLayout(height, 4 * padded);
  const sums = code.local("i32", target.scratch(scheme.points * sumLayout.point));

  const perRow = outChannels / width;
  const inChannel = code.keep(i32.mul(i32.div_u(task, perRow), height));
  const outChannel = code.keep(i32.mul(i32.rem_u(task, perRow), width));
  code.countUp(0, scheme.points, 1, (point) => {
    const at = (address: Integer, bytes: number): Integer => plus(address, i32.mul(point, bytes));
    const windowsAt = plus(target.baseOf(loadedBuffer(kernel.input)), i32.mul(inChannel, 4));
    const cotangentsAt = plus(target.baseOf(kernel.cotangent), i32.mul(outChannel, 4));
    emitProduct(target, {
      count: { value: height, values: [height] },
      rows: { kind: "strided", first: at(windowsAt, windows.point), step: 4 },
      panels,
      accumulates: false,
      rhs: at(cotangentsAt, cotangents.point),
      out: at(sums, sumLayout.point),
      outStep: sumLayout.step,
      inner: {
        lhsStep: windows.step,
        rhsStep: cotangents.step,
        count: shape.batch * tilesPerImage,
        segments: 1,
        lhsJump: 0,
      },
    });
  });

  const step = 4 * outChannels;
  const result = plus(target.baseOf(kernel.result), i32.add(i32.mul(inChannel, step), i32.mul(outChannel, 4)));
  emitTransform(code, transformsOf(scheme).tap, {
    rows: 1,
    columns: height,
    vectors: width / 4,
    relaxed: options.microKernels.relaxed,
    from: pointSquares(sums, sumLayout, height, scheme),
    to: { address: result, row: 3 * inChannels * step, column: inChannels * step, next: step, below: 0 },
  });
  return target.finish((inChannels / height) * perRow);
}
