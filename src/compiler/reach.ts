import { affineKey } from "./affine.ts";
import type { Affine } from "./affine.ts";
import { operandsRead, valuesOf } from "./accesses.ts";
import { partsOf, visitExpression } from "./program.ts";
import type { Buffer, Expression, Kernel } from "./program.ts";

/**
 * How many elements of each operand a kernel reads at most: as many as its indices reach, where these say so. A slice of a
 * large tensor is little.
 */
export function elementsRead(kernel: Kernel): Map<Buffer, number> {
  const reached = new Map<Buffer, number>();
  const seen = new Set<string>();
  const reach = (buffer: Buffer, index: Affine, axes: readonly number[]): void => {
    const key = `${buffer.id} ${affineKey(index)}`;
    if (seen.has(key)) return;
    seen.add(key);
    const elements = axes.reduce((product, n, axis) => (index.coefficients[axis] === 0 ? product : product * n), 1);
    reached.set(buffer, (reached.get(buffer) ?? 0) + elements);
  };
  for (const { axes, values } of domainsOf(kernel)) {
    seen.clear();
    const visited = new Set<Expression>();
    for (const value of values)
      visitExpression(
        value,
        (node) => {
          if (node.kind !== "load") return;
          if (node.row) reached.set(node.buffer, Infinity);
          else reach(node.buffer, node.index, axes);
        },
        visited,
      );
  }
  if (kernel.kind === "dot")
    for (const { buffer, index } of [kernel.lhs, kernel.rhs]) reach(buffer, index, kernel.axes);
  return new Map(
    [...operandsRead(kernel)].map((buffer) => {
      const length = partsOf(buffer).reduce((sum, part) => sum + part.length, 0);
      return [buffer, Math.min(length, reached.get(buffer) ?? length)];
    }),
  );
}

/** Expressions and the axes that their indices go over. */
interface Domain {
  readonly axes: readonly number[];
  readonly values: readonly Expression[];
}

function domainsOf(kernel: Kernel): Domain[] {
  switch (kernel.kind) {
    case "map":
    case "dot":
      return [{ axes: kernel.axes, values: kernel.stores.map(({ value }) => value) }];
    case "reduce": {
      const values = [...kernel.stages.flatMap(valuesOf), ...kernel.stores.map(({ value }) => value)];
      return [{ axes: kernel.axes, values }];
    }
    case "convolution":
    case "filterGradient": {
      const { batch, input, inChannels } = kernel.shape;
      const isAhead = kernel.kind === "convolution" ? kernel.ahead === "images" : kernel.isAhead;
      const image = { axes: [batch, ...input, inChannels], values: isAhead ? [] : [kernel.input] };
      if (kernel.kind === "filterGradient") return [image];
      return [image, { axes: kernel.axes, values: kernel.stores.map(({ value }) => value) }];
    }
    case "transform":
    case "attention":
    case "attentionGradient":
      return [];
  }
}
