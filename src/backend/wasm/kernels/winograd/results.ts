import type { ConvolutionKernel } from "../../../../compiler/program.ts";
import type { Integer } from "../../assembly/instruction.ts";
import { i32 } from "../../assembly/scalar-instructions.ts";
import { addressAt, plus } from "../../emit/addresses.ts";
import type { KernelBuilder } from "../kernel-builder.ts";
import { emitElements } from "../map.ts";
import { isPlainStore } from "../plain.ts";
import type { Count } from "../tasks.ts";
import type { Scheme } from "./scheme.ts";
import { pixelSquares, pointSquares, tileRowsOf } from "./tiles.ts";
import type { PointLayout, TileBlock } from "./tiles.ts";
import { emitTransform, transformsOf } from "./transform.ts";

/** Products of some tiles, and where their results belong. */
export interface TileProducts {
  readonly scheme: Scheme;
  readonly relaxed: boolean;
  readonly block: TileBlock;
  readonly firstImage: Integer;
  /** Rows of results, of each image. */
  readonly first: Integer;
  readonly rows: Count;
  readonly products: Integer;
  readonly layout: PointLayout;
  /** Out channels, and how many columns products have for them. */
  readonly channels: { readonly first: Integer; readonly count: number; readonly padded: number };
}

/** Transforms products to results and stores them, or what the kernel makes of them. */
export function emitResults(
  target: KernelBuilder,
  { shape, stores, axes }: ConvolutionKernel,
  part: TileProducts,
): void {
  const { code } = target;
  const { scheme, block, first, rows, layout, channels } = part;
  const { images, columns } = block;
  const tileRows = tileRowsOf(rows, scheme);
  const perImage = code.local("i32", i32.mul(tileRows.value, columns * layout.step));
  const direct = isPlainStore(stores) && shape.output.every((n) => n % scheme.results === 0);
  const pixel = 4 * (direct ? shape.outChannels : channels.padded);
  const pitch = pixel * scheme.results * columns;
  const results = direct ? undefined : code.local("i32", target.scratch(scheme.results * block.rows * pitch));
  code.countUp(0, images, 1, (i) => {
    const image = code.local("i32", plus(part.firstImage, i));
    const out =
      results ?? addressAt(target.baseOf(stores[0].buffer), stores[0].index, [image, first, 0, channels.first]);
    emitTransform(code, transformsOf(scheme).result, {
      rows: tileRows.value,
      columns,
      vectors: (direct ? channels.count : channels.padded) / 4,
      relaxed: part.relaxed,
      from: pointSquares(plus(part.products, i32.mul(i, perImage)), layout, columns, scheme),
      to: pixelSquares(out, pitch, pixel, scheme),
    });
    if (!results) return;
    const before = i32.add(i32.mul(first, pitch), i32.mul(channels.first, 4));
    target.result = {
      base: code.keep(i32.sub(results, before)),
      index: { offset: 0, coefficients: [0, pitch / 4, channels.padded, 1] },
    };
    const end = code.keep(i32.add(first, rows.value));
    const all = channels.count === shape.outChannels;
    emitElements(code, {
      axes: all ? axes : axes.with(3, channels.count),
      stores,
      sources: target,
      ranges: [{ start: image }, { start: first, end }],
      origin: all ? [] : [0, 0, 0, channels.first],
    });
  });
}
