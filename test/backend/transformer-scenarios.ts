import { mergeHeads, scaledDotProduct } from "../../src/nn/attention/scaled-dot-product.ts";
import { averagePool, conv2d, geluTanh, silu } from "../../src/tensor/functions/functions.ts";
import { layerNorm } from "../../src/tensor/functions/norm.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { floats } from "./scenario.ts";
import { withGradients } from "./layer-scenarios.ts";
import type { Scenario } from "./scenario.ts";

const normalised = (shape: readonly number[]): Scenario => ({
  name: `layer norm with gradients, [${shape.join(",")}]`,
  inputs: floats(shape, shape.slice(-1), shape.slice(-1)),
  build: ([x, weight, bias]) => withGradients(layerNorm(x, { weight, bias }), [x, weight, bias]),
});

/** Attention to other tokens, of which there are more or fewer; with many, devices keep no similarities. */
const attendOver = ({ batch, queries, keys, heads, width }: Readonly<Record<string, number>>): Scenario => ({
  name: `attention of ${queries} tokens to ${keys} others, ${heads} heads of ${width}, with gradients`,
  inputs: floats([batch, queries, heads * width], [batch, keys, heads * width], [heads * width, heads * width]),
  build: ([x, context, weight]) => {
    const byHead = (y: Tensor): Tensor => y.reshape([batch, -1, heads, width]);
    const q = byHead(
      x
        .reshape([batch * queries, heads * width])
        .matmul(weight)
        .multiply(0.4),
    );
    const y = mergeHeads(scaledDotProduct(q, byHead(context), byHead(context.tanh())));
    return withGradients(y.add(x), [x, context, weight]);
  },
});

/** Layers of transformers, and of ADM's U-Net. */
export const transformerScenarios: readonly Scenario[] = [
  normalised([3, 1]),
  normalised([2, 5, 12]),
  normalised([7, 33]),
  {
    name: "layer norm of values far from zero",
    inputs: (random) => [random.array([4, 6, 24], "f32", () => 300 + random.normal())],
    build: ([x]) => ({ outputs: [layerNorm(x, { epsilon: 1e-6 })] }),
  },
  {
    name: "half a transformer block: modulated layer norm, MLP with an approximate GELU, gate, with gradients",
    inputs: floats([2, 6, 8], [2, 8], [8, 24], [8, 20], [20, 8]),
    build: ([x, condition, modulation, up, down]) => {
      const [shift, scale, gate] = silu(condition).matmul(modulation).multiply(0.3).reshape([2, 1, 24]).chunk(3);
      const h = layerNorm(x).multiply(scale.add(1)).add(shift).reshape([12, 8]);
      const mlp = geluTanh(h.matmul(up)).matmul(down).reshape([2, 6, 8]);
      return withGradients(x.add(gate.multiply(mlp)), [x, condition, modulation, up, down]);
    },
  },
  {
    name: "attention whose heads come before q, k and v, with gradients",
    inputs: floats([2, 9, 8], [8, 24]),
    build: ([x, weight]) => {
      const qkv = x.reshape([18, 8]).matmul(weight).multiply(0.4).reshape([2, 9, 2, 3, 4]);
      const [q, k, v] = qkv.chunk(3, 3).map((part) => part.reshape([2, 9, 2, 4]));
      return withGradients(mergeHeads(scaledDotProduct(q, k, v)).add(x), [x, weight]);
    },
  },
  ...[
    { batch: 2, queries: 9, keys: 9, heads: 3, width: 5 },
    { batch: 4, queries: 5, keys: 1030, heads: 1, width: 12 },
    { batch: 2, queries: 65, keys: 1025, heads: 2, width: 7 },
  ].map(attendOver),
  {
    name: "patches to tokens and back, with gradients",
    inputs: floats([2, 6, 9, 2], [3, 3, 2, 8], [6, 8], [8, 18]),
    build: ([x, patch, positions, toPixels]) => {
      const tokens = conv2d(x, patch, { stride: 3 }).reshape([2, 6, 8]).add(positions);
      const pixels = tokens.reshape([12, 8]).tanh().matmul(toPixels).reshape([2, 2, 3, 3, 3, 2]);
      const y = pixels.transpose([0, 1, 3, 2, 4, 5]).reshape([2, 6, 9, 2]);
      return withGradients(y, [x, patch, positions, toPixels]);
    },
  },
  {
    name: "a convolution of the means of 2x2 pixels, and the means beside it, with gradients",
    inputs: floats([2, 6, 8, 5], [3, 3, 5, 5]),
    build: ([x, w]) => withGradients(conv2d(averagePool(silu(x)), w, { padding: 1 }).add(averagePool(x)), [x, w]),
  },
];
