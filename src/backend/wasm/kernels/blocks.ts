import { mapIndices } from "../../../compiler/program.ts";
import type { Affine } from "../../../compiler/affine.ts";
import type { DotKernel } from "../../../compiler/program.ts";

/** Columns that a task of a wide product works on, at most: its part of the right factors stays in the second cache. */
const MOST_COLUMNS = 256;
const FEWEST_COLUMNS = 96;
/** What tiles are made of: widths that are no multiples of it waste registers. */
const COLUMN_UNIT = 8;

/** The same product with an axis more, over equal blocks of its columns, before that of its rows; itself if it is narrow. */
export function splitColumns(kernel: DotKernel): DotKernel {
  const { axes, lhs, rhs, stores } = kernel;
  const rowAxis = axes.length - 3;
  const columnAxis = rowAxis + 1;
  const columns = axes[columnAxis];
  const block = columnsPerBlock(columns);
  if (block === columns) return kernel;
  const split = ({ offset, coefficients }: Affine): Affine => ({
    offset,
    coefficients: coefficients.toSpliced(rowAxis, 0, coefficients[columnAxis] * block),
  });
  return {
    ...kernel,
    axes: axes.with(columnAxis, block).toSpliced(rowAxis, 0, columns / block),
    lhs: { ...lhs, index: split(lhs.index) },
    rhs: { ...rhs, index: split(rhs.index) },
    stores: stores.map(({ buffer, index, value }) => ({
      buffer,
      index: split(index),
      value: mapIndices(value, split),
    })),
  };
}

function columnsPerBlock(columns: number): number {
  if (columns <= MOST_COLUMNS) return columns;
  for (let block = MOST_COLUMNS; block >= FEWEST_COLUMNS; block -= COLUMN_UNIT) if (columns % block === 0) return block;
  return columns;
}
