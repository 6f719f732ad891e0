// jax-js's side of the benches, jitted on WebAssembly. It could train, but its convolutions are so slow on a CPU that
// a step would take minutes.
import { loadPackage, servePredictor } from "./predictor.ts";
import type { Predictor, PredictorSettings, PredictorTask } from "./predictor.ts";

const WIDTH = 28;
const LEVELS = 3;
const HEADS = 4;
const HEAD_WIDTH = 32;
const GROUPS = 4;
const EPSILON = 1e-5;

/** What we use of @jax-js/jax. Its functions own their arguments: whoever still needs one passes its `ref`. */
interface Jax {
  init(device: "wasm"): Promise<readonly string[]>;
  defaultDevice(device: "wasm"): string;
  jit<Inputs extends readonly unknown[]>(act: (...inputs: Inputs) => Tensor): (...inputs: Inputs) => Tensor;
  readonly numpy: {
    array(data: Float32Array, options: { shape: readonly number[] }): Tensor;
    einsum(subscripts: string, a: Tensor, b: Tensor): Tensor;
    concatenate(tensors: readonly Tensor[], axis: number): Tensor;
    split(x: Tensor, parts: number, axis: number): Tensor[];
    repeat(x: Tensor, times: number, axis: number): Tensor;
    sin(x: Tensor): Tensor;
    cos(x: Tensor): Tensor;
  };
  readonly nn: {
    silu(x: Tensor): Tensor;
    gelu(x: Tensor, options: { approximate: false }): Tensor;
    softmax(x: Tensor, axis: number): Tensor;
    standardize(x: Tensor, axis: number, options: { epsilon: number }): Tensor;
  };
  readonly lax: { conv(x: Tensor, filter: Tensor, strides: readonly number[], padding: "SAME"): Tensor };
}

interface Tensor {
  readonly ref: Tensor;
  readonly shape: readonly number[];
  add(other: Tensor | number): Tensor;
  mul(other: Tensor | number): Tensor;
  reshape(shape: readonly number[]): Tensor;
  transpose(order: readonly number[]): Tensor;
  data(): Promise<Float32Array>;
}

type Weights = Readonly<Record<string, Tensor>>;

/** The U-Net of "The Annotated Diffusion Model", written for these benches. Images are NCHW, weights PyTorch's. */
class Unet {
  readonly #jax: Jax;
  readonly #weights: Weights;

  constructor(jax: Jax, weights: Weights) {
    this.#jax = jax;
    this.#weights = weights;
  }

  forward(x: Tensor, t: Tensor): Tensor {
    const { numpy } = this.#jax;
    const embedding = this.#timeEmbedding(t);
    const first = this.#conv("init_conv", x);
    const skips: Tensor[] = [];
    let y = first.ref;
    for (let level = 0; level < LEVELS; level++) {
      const name = `downs.${level}`;
      y = this.#residualBlock(`${name}.0`, y, embedding);
      skips.push(y.ref);
      y = this.#linearAttention(`${name}.2`, this.#residualBlock(`${name}.1`, y, embedding));
      skips.push(y.ref);
      y = level < LEVELS - 1 ? this.#conv(`${name}.3.1`, halved(y)) : this.#conv(`${name}.3`, y);
    }
    y = this.#attention("mid_attn", this.#residualBlock("mid_block1", y, embedding));
    y = this.#residualBlock("mid_block2", y, embedding);
    for (let level = 0; level < LEVELS; level++) {
      const name = `ups.${level}`;
      for (const block of [`${name}.0`, `${name}.1`]) {
        const skip = skips.pop();
        if (skip) y = this.#residualBlock(block, numpy.concatenate([y, skip], 1), embedding);
      }
      y = this.#linearAttention(`${name}.2`, y);
      y = level < LEVELS - 1 ? this.#conv(`${name}.3.1`, this.#doubled(y)) : this.#conv(`${name}.3`, y);
    }
    return this.#conv(
      "final_conv",
      this.#residualBlock("final_res_block", numpy.concatenate([y, first], 1), embedding),
    );
  }

  /** Each is used once. */
  #weight(name: string): Tensor {
    const weight = this.#weights[name];
    if (weight) return weight;
    throw new Error(`the reference has no weight "${name}"`);
  }

  #timeEmbedding(t: Tensor): Tensor {
    const { numpy, nn } = this.#jax;
    const half = WIDTH / 2;
    const rates = Float32Array.from({ length: half }, (_, i) => Math.exp((-i * Math.log(10_000)) / (half - 1)));
    const angles = t.mul(numpy.array(rates, { shape: [1, half] }));
    const waves = numpy.concatenate([numpy.sin(angles.ref), numpy.cos(angles)], 1);
    return this.#linear("time_mlp.3", nn.gelu(this.#linear("time_mlp.1", waves), { approximate: false }));
  }

  #linear(name: string, x: Tensor): Tensor {
    return this.#jax.numpy.einsum("bi,oi->bo", x, this.#weight(`${name}.weight`)).add(this.#weight(`${name}.bias`));
  }

  #conv(name: string, x: Tensor, filter = this.#weight(`${name}.weight`)): Tensor {
    return this.#jax.lax.conv(x, filter, [1, 1], "SAME").add(perChannel(this.#weight(`${name}.bias`)));
  }

  /** Qiao et al. (2019, 1903.10520) */
  #standardizedConv(name: string, x: Tensor): Tensor {
    const filter = this.#weight(`${name}.weight`);
    const { shape } = filter;
    const normal = this.#jax.nn.standardize(filter.reshape([shape[0], -1]), 1, { epsilon: EPSILON });
    return this.#conv(name, x, normal.reshape(shape));
  }

  #groupNorm(name: string, x: Tensor, groups: number): Tensor {
    const { shape } = x;
    const normal = this.#jax.nn.standardize(x.reshape([shape[0], groups, -1]), 2, { epsilon: EPSILON });
    const scaled = normal.reshape(shape).mul(perChannel(this.#weight(`${name}.weight`)));
    return scaled.add(perChannel(this.#weight(`${name}.bias`)));
  }

  /** Two 3x3 convolutions, each with group norm and SiLU; time scales and shifts after the first norm. */
  #residualBlock(name: string, x: Tensor, embedding: Tensor): Tensor {
    const { numpy, nn } = this.#jax;
    const time = this.#linear(`${name}.mlp.1`, nn.silu(embedding.ref));
    const [scale, shift] = numpy.split(time.reshape([...time.shape, 1, 1]), 2, 1);
    const skip = `${name}.res_conv.weight` in this.#weights ? this.#conv(`${name}.res_conv`, x.ref) : x.ref;
    let y = this.#groupNorm(`${name}.block1.norm`, this.#standardizedConv(`${name}.block1.proj`, x), GROUPS);
    y = nn.silu(y.mul(scale.add(1)).add(shift));
    y = this.#groupNorm(`${name}.block2.norm`, this.#standardizedConv(`${name}.block2.proj`, y), GROUPS);
    return nn.silu(y).add(skip);
  }

  /** Queries, keys and values, each [batch, heads, width, pixels]. */
  #parts(name: string, x: Tensor): Tensor[] {
    const { lax, numpy } = this.#jax;
    const [batch] = x.shape;
    const normal = this.#groupNorm(`${name}.fn.norm`, x, 1);
    const parts = lax.conv(normal, this.#weight(`${name}.fn.fn.to_qkv.weight`), [1, 1], "SAME");
    return numpy.split(parts, 3, 1).map((part) => part.reshape([batch, HEADS, HEAD_WIDTH, -1]));
  }

  #linearAttention(name: string, x: Tensor): Tensor {
    const { nn, numpy } = this.#jax;
    const [batch, , height, width] = x.shape;
    const [q, k, v] = this.#parts(name, x.ref);
    const context = numpy.einsum("bhdn,bhen->bhde", nn.softmax(k, 3), v);
    const y = numpy.einsum("bhde,bhdn->bhen", context, nn.softmax(q, 2).mul(HEAD_WIDTH ** -0.5));
    const out = this.#conv(`${name}.fn.fn.to_out.0`, y.reshape([batch, HEADS * HEAD_WIDTH, height, width]));
    return x.add(this.#groupNorm(`${name}.fn.fn.to_out.1`, out, 1));
  }

  #attention(name: string, x: Tensor): Tensor {
    const { nn, numpy } = this.#jax;
    const [batch, , height, width] = x.shape;
    const [q, k, v] = this.#parts(name, x.ref);
    const scores = nn.softmax(numpy.einsum("bhdi,bhdj->bhij", q.mul(HEAD_WIDTH ** -0.5), k), 3);
    const y = numpy.einsum("bhij,bhdj->bhdi", scores, v).reshape([batch, HEADS * HEAD_WIDTH, height, width]);
    return x.add(this.#conv(`${name}.fn.fn.to_out`, y));
  }

  #doubled(x: Tensor): Tensor {
    const { numpy } = this.#jax;
    return numpy.repeat(numpy.repeat(x, 2, 2), 2, 3);
  }
}

function perChannel(weight: Tensor): Tensor {
  return weight.reshape([1, weight.shape[0], 1, 1]);
}

/** Squares of 2x2 pixels as channels, in PyTorch's order. */
function halved(x: Tensor): Tensor {
  const [batch, channels, height, width] = x.shape;
  const squares = x.reshape([batch, channels, height / 2, 2, width / 2, 2]).transpose([0, 1, 3, 5, 2, 4]);
  return squares.reshape([batch, 4 * channels, height / 2, width / 2]);
}

async function make({ npm, batch }: PredictorSettings, { shape, weights: given }: PredictorTask): Promise<Predictor> {
  const jax = (await loadPackage(npm, "@jax-js/jax")) as Jax;
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const entries = [...given].map(
    ([name, weight]) => [name, jax.numpy.array(weight.data, { shape: weight.shape })] as const,
  );
  const forward = jax.jit((weights: Weights, x: Tensor, t: Tensor) => new Unet(jax, weights).forward(x, t));
  return {
    description: "jax-js on WebAssembly, jit; in Node it has one thread",
    async predict(x, t) {
      const weights = Object.fromEntries(entries.map(([name, weight]) => [name, weight.ref]));
      const images = jax.numpy.array(x, { shape });
      return forward(weights, images, jax.numpy.array(Float32Array.from(t), { shape: [batch, 1] })).data();
    },
  };
}

await servePredictor("jax-js", make);
