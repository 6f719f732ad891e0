import { grad } from "../../src/tensor/autodiff/grad.ts";
import { conv2d, silu, softmax, upsampleNearest } from "../../src/tensor/functions/functions.ts";
import { groupNorm } from "../../src/tensor/functions/norm.ts";
import type { SpatialPadding, SpatialPair } from "../../src/tensor/op.ts";
import { Tensor, concatenate, dotGeneral, full } from "../../src/tensor/tensor.ts";
import { floats } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";

/** Weights each output element differently, so that no gradient is one number everywhere. */
const weighted = (y: Tensor): Tensor => y.multiply(y.add(0.3)).sum();
/** The result, and the derivatives of a weighted sum of it. */
export const withGradients = (y: Tensor, by: readonly Tensor[]): { outputs: Tensor[] } => ({
  outputs: [y, ...grad(weighted(y), by)],
});

const normalised = (batch: number, side: number, channels: number, groups: number): Scenario => ({
  name: `group norm with silu and gradients, [${batch},${side},${side},${channels}] in ${groups} groups`,
  inputs: floats([batch, side, side, channels], [channels], [channels]),
  build: ([x, weight, bias]) => withGradients(silu(groupNorm(x, { groups, weight, bias })), [x, weight, bias]),
});

/** Convolutions and products with everything that a compiler may fuse around them. */
export const contractionScenarios: readonly Scenario[] = [
  {
    name: "a convolution of a concatenation, with gradients",
    inputs: floats([2, 9, 9, 5], [2, 9, 9, 7], [3, 3, 12, 8]),
    build: ([x, skip, w]) => withGradients(conv2d(concatenate([x, skip.tanh()], 3), w, { padding: 1 }), [x, skip, w]),
  },
  {
    name: "a convolution of a nearest-neighbour enlargement, with gradients",
    inputs: floats([2, 5, 7, 8], [3, 3, 8, 12]),
    build: ([x, w]) => withGradients(conv2d(upsampleNearest(x), w, { padding: 1 }), [x, w]),
  },
  {
    name: "space to depth and a 1x1 convolution, with gradients",
    inputs: floats([2, 8, 6, 3], [1, 1, 12, 7]),
    build: ([x, w]) => {
      const folded = x.reshape([2, 4, 2, 3, 2, 3]).transpose([0, 1, 3, 5, 2, 4]).reshape([2, 4, 3, 12]);
      return withGradients(conv2d(folded, w), [x, w]);
    },
  },
  {
    name: "a strided convolution with bias, residual and activation, with gradients",
    inputs: floats([3, 11, 9, 4], [4, 4, 4, 9], [9], [3, 5, 4, 9]),
    build: ([x, w, bias, residual]) =>
      withGradients(silu(conv2d(x, w, { stride: 2, padding: 1 }).add(bias)).add(residual), [x, w, bias, residual]),
  },
  {
    name: "a convolution with standardised weights stored as [out, in, height, width], with gradients",
    inputs: floats([2, 7, 7, 6], [8, 6, 3, 3]),
    build: ([x, stored]) => {
      const centred = stored.subtract(stored.mean([1, 2, 3], true));
      const scaled = centred.multiply(centred.square().mean([1, 2, 3], true).add(1e-5).rsqrt());
      return withGradients(conv2d(x, scaled.transpose([2, 3, 1, 0]), { padding: 1 }), [x, stored]);
    },
  },
  {
    name: "convolutions of a padded, reversed, sliced and transposed image",
    inputs: floats([2, 8, 9, 4], [3, 2, 4, 5]),
    build: ([x, w]) => ({
      outputs: [
        conv2d(
          x.exp().pad(
            [
              [0, 0],
              [2, 0],
              [0, 3],
              [0, 0],
            ],
            0.5,
          ),
          w,
        ),
        conv2d(x.reverse([1, 2]), w, { stride: 2 }),
        conv2d(x.slice(1, 1, 8, 2).slice(2, 0, 9, 3), w, { padding: 2 }),
        conv2d(x.transpose([0, 2, 1, 3]).tanh(), w),
        conv2d(x.slice(3, 0, 1).broadcastTo([2, 8, 9, 4]), w),
        conv2d(x, w.reverse([0, 1]).multiply(2)),
      ],
    }),
  },
  {
    name: "what follows a convolution: slices, pads, transposes, reductions and another convolution",
    inputs: floats([2, 10, 8, 3], [3, 3, 3, 8], [1, 1, 8, 3]),
    build: ([x, w, v]) => {
      const y = conv2d(x, w, { padding: 1 });
      const next = conv2d(y.tanh(), v);
      return {
        outputs: [
          y.slice(1, 2, 9, 3),
          y.pad([
            [0, 1],
            [1, -2],
            [0, 0],
            [2, 0],
          ]),
          y.transpose([3, 0, 1, 2]),
          y.sum([1, 2]),
          y.max(3),
          next.add(x),
          y.reshape([2, 80, 8]).mean(1),
        ],
      };
    },
  },
  {
    name: "convolutions down to one row or column, padded on one side, and reshaped, transposed or reduced",
    inputs: floats(
      [4, 1, 8, 3],
      [3, 3, 3, 7],
      [1, 3, 3, 9],
      [1, 2, 9, 8],
      [5, 2, 8, 8],
      [3, 3, 8, 1],
      [1, 2, 1, 2],
      [1, 1, 2, 3],
    ),
    build: ([wide, w, small, v, tall, u, thin, t]) => {
      const convolve = (x: Tensor, filter: Tensor, strides: SpatialPair, padding: SpatialPadding): Tensor =>
        new Tensor({ kind: "convolution", strides, padding, lhsDilation: [1, 1], rhsDilation: [1, 1] }, [x, filter]);
      const row = convolve(
        wide,
        w,
        [1, 1],
        [
          [1, 1],
          [0, 1],
        ],
      );
      const spread = convolve(
        small,
        v,
        [2, 1],
        [
          [2, 2],
          [2, 2],
        ],
      );
      const low = convolve(
        tall,
        u,
        [2, 1],
        [
          [0, 2],
          [1, 0],
        ],
      );
      const dots = convolve(
        thin,
        t,
        [2, 2],
        [
          [0, 2],
          [0, 1],
        ],
      );
      return {
        outputs: [
          row.reshape([4, 7, 7]),
          spread.transpose([1, 2, 0, 3]),
          low.multiply(2).transpose([1, 0, 3, 2]),
          dots.sum(2),
          low.reshape([5, 7]).exp(),
          row.min(1),
          low.max([1, 3]),
          row.transpose([0, 3, 1, 2]).clamp(-1, 1),
        ],
      };
    },
  },
  {
    name: "two convolutions of one image and two images of one filter, added",
    inputs: floats([2, 6, 6, 4], [2, 6, 6, 4], [3, 3, 4, 5], [1, 1, 4, 5]),
    build: ([x, y, w, v]) =>
      withGradients(
        conv2d(x, w, { padding: 1 })
          .add(conv2d(x, v))
          .add(conv2d(y, w, { padding: 1 })),
        [x, y, w, v],
      ),
  },
  {
    name: "second derivatives of a convolution",
    inputs: floats([2, 6, 5, 3], [3, 2, 3, 4]),
    build: ([x, w]) => {
      const loss = conv2d(x, w, { stride: 2, padding: 1 }).tanh().square().sum();
      const [byX, byW] = grad(loss, [x, w]);
      return { outputs: grad(byX.square().sum().add(byW.square().sum().multiply(0.1)), [x, w]) };
    },
  },
  {
    name: "products of transposed, reversed, sliced, broadcast and computed operands",
    inputs: floats([9, 16], [16, 7], [9, 7]),
    build: ([a, b, c]) => ({
      outputs: [
        a.exp().matmul(b.sin()),
        b.transpose().matmul(a.transpose()),
        a.reverse([1]).matmul(b),
        a.slice(1, 0, 16, 2).matmul(b.slice(0, 1, 16, 2)),
        a.slice(0, 0, 1).broadcastTo([9, 16]).matmul(b),
        a.matmul(b).add(c).tanh().transpose(),
        a.matmul(b.slice(1, 2, 3)).reshape([9]),
        a.matmul(a.transpose()).matmul(c),
        a.reshape([3, 3, 16]).matmul(b).transpose([1, 0, 2]),
        a.matmul(b).sum(0),
      ],
    }),
  },
  {
    name: "batched products with broadcast batches, with gradients",
    inputs: floats([3, 1, 5, 8], [4, 8, 6]),
    build: ([a, b]) => withGradients(a.matmul(b), [a, b]),
  },
  {
    name: "the general contraction with scattered axes, with gradients",
    inputs: floats([4, 5, 3, 2], [2, 6, 4, 5]),
    build: ([a, b]) => {
      const y = dotGeneral(a, b, { lhsBatch: [3], rhsBatch: [0], lhsContract: [1, 0], rhsContract: [3, 2] });
      return withGradients(y.multiply(0.2), [a, b]);
    },
  },
  {
    name: "a moved operand of a product that is an output too",
    inputs: floats([2, 7], [2, 7, 5], [9, 4, 4], [4, 6], [6, 4]),
    build: ([a, x, cube, b, c]) => {
      const turned = x.transpose([2, 1, 0]);
      const pairs = cube.transpose([0, 2, 1]);
      const flipped = b.transpose();
      const repeated = c.slice(1, 0, 1).broadcastTo([6, 5]);
      return {
        outputs: [
          turned,
          dotGeneral(a, turned, { lhsBatch: [1], rhsBatch: [1], lhsContract: [0], rhsContract: [2] }),
          pairs,
          dotGeneral(cube, pairs, { lhsBatch: [2], rhsBatch: [2], lhsContract: [0], rhsContract: [0] }),
          flipped,
          c.transpose().matmul(flipped.slice(1, 1, 4, 2)),
          c.matmul(flipped.transpose()),
          repeated,
          b.matmul(repeated),
        ],
      };
    },
  },
  {
    name: "a moved operand of a product with free axes on both sides, whose rows are gathered for another product",
    inputs: (random) => [
      ...floats([2, 28, 9], [28, 2, 9], [9, 28], [3, 1, 9, 8])(random),
      random.array([3], "i32", () => random.integer(0, 1)),
    ],
    build: ([a, x, b, filter, rows]) => {
      const turned = x.transpose([1, 0, 2]);
      const product = dotGeneral(a, turned, { lhsBatch: [], rhsBatch: [], lhsContract: [1], rhsContract: [1] });
      const gathered = turned.gather(rows).abs();
      const other = dotGeneral(b, gathered, { lhsBatch: [1], rhsBatch: [1], lhsContract: [0], rhsContract: [2] });
      return { outputs: [conv2d(product.multiply(0.2), filter, { stride: 2, padding: 1 }), other.multiply(2)] };
    },
  },
];

/** Layers of the models, with gradients. */
export const layerScenarios: readonly Scenario[] = [
  normalised(1, 1, 4, 1),
  normalised(2, 7, 8, 4),
  normalised(3, 5, 6, 6),
  normalised(2, 9, 28, 4),
  normalised(1, 28, 12, 1),
  {
    name: "group norm of values far from zero",
    inputs: (random) => [
      random.array([2, 6, 6, 8], "f32", () => 300 + random.normal()),
      random.array([8]),
      random.array([8]),
    ],
    build: ([x, weight, bias]) => ({ outputs: [groupNorm(x, { groups: 4, weight, bias })] }),
  },
  {
    name: "a residual block: convolution, group norm, scale and shift by time, activation, shortcut",
    inputs: floats([2, 7, 7, 8], [2, 10], [3, 3, 8, 12], [12], [12], [12], [10, 24], [1, 1, 8, 12]),
    build: ([x, time, w, convBias, weight, bias, dense, shortcut]) => {
      const h = groupNorm(conv2d(x, w, { padding: 1 }).add(convBias), { groups: 4, weight, bias });
      const [scale, shift] = silu(time).matmul(dense).multiply(0.3).reshape([2, 1, 1, 24]).chunk(2);
      const y = silu(h.multiply(scale.add(1)).add(shift)).add(conv2d(x, shortcut));
      return withGradients(y, [x, time, w, convBias, weight, bias, dense, shortcut]);
    },
  },
  {
    name: "attention over pixels, with gradients",
    inputs: floats([2, 5, 5, 12], [1, 1, 12, 72], [1, 1, 24, 12]),
    build: ([x, qkv, out]) => {
      const heads = (t: Tensor): Tensor => t.reshape([2, 25, 3, 8]).transpose([0, 2, 1, 3]);
      const [q, k, v] = conv2d(x, qkv).multiply(0.3).chunk(3).map(heads);
      const attended = softmax(q.multiply(8 ** -0.5).matmul(k.transpose([0, 1, 3, 2]))).matmul(v);
      const y = conv2d(attended.transpose([0, 2, 1, 3]).reshape([2, 5, 5, 24]), out).add(x);
      return withGradients(y, [x, qkv, out]);
    },
  },
  {
    name: "linear attention: softmax of queries over channels and of keys over pixels, with gradients",
    inputs: floats([2, 4, 6, 8], [1, 1, 8, 48]),
    build: ([x, qkv]) => {
      const heads = (t: Tensor): Tensor => t.reshape([2, 24, 2, 8]).transpose([0, 2, 3, 1]);
      const [q, k, v] = conv2d(x, qkv).multiply(0.4).chunk(3).map(heads);
      const context = softmax(k, 3).matmul(v.transpose([0, 1, 3, 2]));
      const y = context.transpose([0, 1, 3, 2]).matmul(softmax(q, 2).multiply(8 ** -0.5));
      return withGradients(y.transpose([0, 3, 1, 2]).reshape([2, 4, 6, 16]), [x, qkv]);
    },
  },
  {
    name: "cross-attention to a token that is always seen and others behind a mask, with gradients",
    inputs: (random) => [
      ...floats([2, 3, 5, 8], [8, 12], [6, 12], [6, 12], [12, 8], [6], [2, 4, 6])(random),
      random.array([2, 4], "bool"),
    ],
    build: ([x, toQ, toK, toV, toOut, none, context, mask]) => {
      const heads = (t: Tensor): Tensor => t.reshape([2, -1, 3, 4]).transpose([0, 2, 1, 3]);
      const tokens = concatenate([none.broadcastTo([2, 1, 6]), context], 1);
      const seen = concatenate([full([2, 1], 1, "bool"), mask], 1).reshape([2, 1, 1, 5]);
      const q = heads(x.reshape([2, 15, 8]).matmul(toQ.broadcastTo([2, 8, 12])));
      const [k, v] = [toK, toV].map((weight) => heads(tokens.matmul(weight.broadcastTo([2, 6, 12]))));
      const similarity = seen.select(q.multiply(0.5).matmul(k.transpose([0, 1, 3, 2])), -1e9);
      const attended = softmax(similarity).matmul(v).transpose([0, 2, 1, 3]).reshape([2, 15, 12]);
      const y = attended
        .matmul(toOut.broadcastTo([2, 12, 8]))
        .reshape([2, 3, 5, 8])
        .add(x);
      return withGradients(y, [x, toQ, toK, toV, toOut, none, context]);
    },
  },
  {
    name: "rows of a table by class, with another row where a mask says so, through an MLP, with gradients",
    inputs: (random) => [
      ...floats([5, 8], [8], [8, 12])(random),
      random.array([6], "i32", () => random.integer(0, 4)),
      random.array([6], "bool"),
    ],
    build: ([table, none, weight, classes, keep]) => {
      const rows = keep.reshape([6, 1]).select(table.gather(classes), none.reshape([1, 8]));
      return withGradients(silu(rows.matmul(weight)), [table, none, weight]);
    },
  },
];
