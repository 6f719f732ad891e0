// TensorFlow.js's side of the benches, on WebAssembly. It does not train there: the gradient of a convolution by its
// filter (Conv2DBackpropFilter) has no kernel.
import { loadPackage, servePredictor } from "./predictor.ts";
import type { Predictor, PredictorSettings, PredictorTask, Weight } from "./predictor.ts";
import type { Tensor, TensorFlow } from "./tensorflow.ts";

const WIDTH = 28;
const LEVELS = 3;
const HEADS = 4;
const HEAD_WIDTH = 32;
const GROUPS = 4;
const EPSILON = 1e-5;

/** The U-Net of "The Annotated Diffusion Model", written for these benches. Images are NHWC, filters HWIO. */
class Unet {
  readonly #tf: TensorFlow;
  readonly #weights: ReadonlyMap<string, Tensor>;
  readonly #rates: Tensor;

  constructor(tf: TensorFlow, weights: ReadonlyMap<string, Weight>) {
    this.#tf = tf;
    this.#weights = new Map([...weights].map(([name, weight]) => [name, this.#fromPytorch(weight)]));
    const half = WIDTH / 2;
    const rates = Float32Array.from({ length: half }, (_, i) => Math.exp((-i * Math.log(10_000)) / (half - 1)));
    this.#rates = tf.tensor(rates, [1, half]);
  }

  /** Filters OIHW to HWIO, matrices [out, in] to [in, out]. */
  #fromPytorch({ data, shape }: Weight): Tensor {
    const tensor = this.#tf.tensor(data, shape);
    if (shape.length === 1) return tensor;
    return this.#tf.transpose(tensor, shape.length === 4 ? [2, 3, 1, 0] : [1, 0]);
  }

  forward(x: Tensor, t: Tensor): Tensor {
    const embedding = this.#timeEmbedding(t);
    const first = this.#conv("init_conv", x);
    const skips: Tensor[] = [];
    let y = first;
    for (let level = 0; level < LEVELS; level++) {
      const name = `downs.${level}`;
      y = this.#residualBlock(`${name}.0`, y, embedding);
      skips.push(y);
      y = this.#linearAttention(`${name}.2`, this.#residualBlock(`${name}.1`, y, embedding));
      skips.push(y);
      y = level < LEVELS - 1 ? this.#conv(`${name}.3.1`, this.#halved(y)) : this.#conv(`${name}.3`, y);
    }
    y = this.#attention("mid_attn", this.#residualBlock("mid_block1", y, embedding));
    y = this.#residualBlock("mid_block2", y, embedding);
    for (let level = 0; level < LEVELS; level++) {
      const name = `ups.${level}`;
      for (const block of [`${name}.0`, `${name}.1`]) {
        const skip = skips.pop();
        if (skip) y = this.#residualBlock(block, this.#tf.concat([y, skip], 3), embedding);
      }
      y = this.#linearAttention(`${name}.2`, y);
      y = level < LEVELS - 1 ? this.#conv(`${name}.3.1`, this.#doubled(y)) : this.#conv(`${name}.3`, y);
    }
    return this.#conv("final_conv", this.#residualBlock("final_res_block", this.#tf.concat([y, first], 3), embedding));
  }

  #weight(name: string): Tensor {
    const weight = this.#weights.get(name);
    if (weight) return weight;
    throw new Error(`the reference has no weight "${name}"`);
  }

  #timeEmbedding(t: Tensor): Tensor {
    const tf = this.#tf;
    const angles = tf.mul(t, this.#rates);
    const hidden = this.#linear("time_mlp.1", tf.concat([tf.sin(angles), tf.cos(angles)], 1));
    const share = tf.mul(tf.add(tf.erf(tf.mul(hidden, tf.scalar(Math.SQRT1_2))), tf.scalar(1)), tf.scalar(0.5));
    return this.#linear("time_mlp.3", tf.mul(hidden, share));
  }

  #linear(name: string, x: Tensor): Tensor {
    return this.#tf.add(this.#tf.matMul(x, this.#weight(`${name}.weight`)), this.#weight(`${name}.bias`));
  }

  #conv(name: string, x: Tensor, filter = this.#weight(`${name}.weight`)): Tensor {
    return this.#tf.fused.conv2d({ x, filter, bias: this.#weight(`${name}.bias`), strides: 1, pad: "same" });
  }

  /** Qiao et al. (2019, 1903.10520) */
  #standardizedConv(name: string, x: Tensor): Tensor {
    return this.#conv(name, x, this.#normal(this.#weight(`${name}.weight`), [0, 1, 2]));
  }

  /** Mean 0 and variance 1 over some axes. */
  #normal(x: Tensor, axes: readonly number[]): Tensor {
    const tf = this.#tf;
    const { mean, variance } = tf.moments(x, axes, true);
    return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, tf.scalar(EPSILON))));
  }

  #groupNorm(name: string, x: Tensor, groups: number): Tensor {
    const tf = this.#tf;
    const [batch, height, width, channels] = x.shape;
    const parts = tf.reshape(x, [batch, height * width, groups, channels / groups]);
    const normal = tf.reshape(this.#normal(parts, [1, 3]), x.shape);
    return tf.add(tf.mul(normal, this.#weight(`${name}.weight`)), this.#weight(`${name}.bias`));
  }

  #silu(x: Tensor): Tensor {
    return this.#tf.mul(x, this.#tf.sigmoid(x));
  }

  /** Two 3x3 convolutions, each with group norm and SiLU; time scales and shifts after the first norm. */
  #residualBlock(name: string, x: Tensor, embedding: Tensor): Tensor {
    const tf = this.#tf;
    const time = this.#linear(`${name}.mlp.1`, this.#silu(embedding));
    const [scale, shift] = tf.split(tf.reshape(time, [time.shape[0], 1, 1, time.shape[1]]), 2, 3);
    let y = this.#groupNorm(`${name}.block1.norm`, this.#standardizedConv(`${name}.block1.proj`, x), GROUPS);
    y = this.#silu(tf.add(tf.mul(y, tf.add(scale, tf.scalar(1))), shift));
    y = this.#groupNorm(`${name}.block2.norm`, this.#standardizedConv(`${name}.block2.proj`, y), GROUPS);
    const hasConv = this.#weights.has(`${name}.res_conv.weight`);
    return tf.add(this.#silu(y), hasConv ? this.#conv(`${name}.res_conv`, x) : x);
  }

  /** Queries, keys and values, each [batch, heads, width, pixels]. */
  #parts(name: string, x: Tensor): Tensor[] {
    const tf = this.#tf;
    const [batch, height, width] = x.shape;
    const normal = this.#groupNorm(`${name}.fn.norm`, x, 1);
    const parts = tf.conv2d(normal, this.#weight(`${name}.fn.fn.to_qkv.weight`), 1, "same");
    return tf.split(parts, 3, 3).map((part) => {
      return tf.transpose(tf.reshape(part, [batch, height * width, HEADS, HEAD_WIDTH]), [0, 2, 3, 1]);
    });
  }

  /** From [batch, heads, pixels, width] to the layout of an image. */
  #merged(parts: Tensor, [batch, height, width]: readonly number[]): Tensor {
    return this.#tf.reshape(this.#tf.transpose(parts, [0, 2, 1, 3]), [batch, height, width, HEADS * HEAD_WIDTH]);
  }

  #linearAttention(name: string, x: Tensor): Tensor {
    const tf = this.#tf;
    const [q, k, v] = this.#parts(name, x);
    const context = tf.matMul(tf.softmax(k, 3), v, false, true);
    const queries = tf.mul(tf.softmax(tf.transpose(q, [0, 1, 3, 2]), 3), tf.scalar(HEAD_WIDTH ** -0.5));
    const y = this.#conv(`${name}.fn.fn.to_out.0`, this.#merged(tf.matMul(queries, context), x.shape));
    return tf.add(x, this.#groupNorm(`${name}.fn.fn.to_out.1`, y, 1));
  }

  #attention(name: string, x: Tensor): Tensor {
    const tf = this.#tf;
    const [q, k, v] = this.#parts(name, x);
    const scores = tf.matMul(tf.mul(q, tf.scalar(HEAD_WIDTH ** -0.5)), k, true);
    const y = this.#merged(tf.matMul(tf.softmax(scores, 3), v, false, true), x.shape);
    return tf.add(x, this.#conv(`${name}.fn.fn.to_out`, y));
  }

  /** Squares of 2x2 pixels as channels, in PyTorch's order. */
  #halved(x: Tensor): Tensor {
    const tf = this.#tf;
    const [batch, height, width, channels] = x.shape;
    const squares = tf.reshape(x, [batch, height / 2, 2, width / 2, 2 * channels]);
    const rows = tf.reshape(tf.transpose(squares, [0, 1, 3, 2, 4]), [batch, height / 2, width / 2, 4, channels]);
    return tf.reshape(tf.transpose(rows, [0, 1, 2, 4, 3]), [batch, height / 2, width / 2, 4 * channels]);
  }

  #doubled(x: Tensor): Tensor {
    const [, height, width] = x.shape;
    return this.#tf.image.resizeNearestNeighbor(x, [2 * height, 2 * width]);
  }
}

async function make({ npm, batch }: PredictorSettings, { shape, weights }: PredictorTask): Promise<Predictor> {
  const [, channels, height, width] = shape;
  // What is NCHW is NHWC too then.
  if (channels !== 1) throw new Error(`its side is written for gray images, got ${channels} channels`);
  const { default: tf } = (await loadPackage(npm, "@tensorflow/tfjs")) as { default: TensorFlow };
  await loadPackage(npm, "@tensorflow/tfjs-backend-wasm");
  if (!(await tf.setBackend("wasm"))) throw new Error("TensorFlow.js's WebAssembly backend does not start");
  const unet = new Unet(tf, weights);
  return {
    description: `TensorFlow.js ${tf.version.tfjs} on WebAssembly with SIMD; in Node it has one thread`,
    async predict(x, t) {
      const y = tf.tidy(() => {
        const images = tf.tensor(x, [batch, height, width, channels]);
        return unet.forward(images, tf.tensor(Float32Array.from(t), [batch, 1]));
      });
      const values = await y.data();
      y.dispose();
      return values;
    },
  };
}

await servePredictor("tfjs", make);
