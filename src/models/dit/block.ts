import type { Tensor } from "../../tensor/tensor.ts";
import { GELU } from "../../nn/activations.ts";
import { xavierUniform, zeros } from "../../nn/init.ts";
import type { Random } from "../../nn/init.ts";
import { LayerNorm } from "../../nn/layer-norm.ts";
import { Linear } from "../../nn/linear.ts";
import { Mlp } from "../../nn/mlp.ts";
import { SelfAttention } from "../../nn/attention/self-attention.ts";
import { ModulatedModule, modulate } from "./modulation.ts";

const norm = (dim: number): LayerNorm => new LayerNorm(dim, { epsilon: 1e-6, elementwiseAffine: false });

/**
 * A transformer block with adaLN-Zero: x + gate attention(norm(x) (1 + scale) + shift), and the same with an MLP. It
 * starts as the identity, because its gates start at zero. Figure 3 of Peebles & Xie (2022, 2212.09748).
 */
export class DiTBlock extends ModulatedModule {
  readonly norm1: LayerNorm;
  readonly attn: SelfAttention;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;

  constructor(dim: number, heads: number, mlpHiddenDim: number, random: Random) {
    super(dim, 6);
    const inits = { weightInit: xavierUniform, biasInit: zeros, random };
    this.norm1 = norm(dim);
    this.attn = new SelfAttention(dim, { heads, ...inits });
    this.norm2 = norm(dim);
    this.mlp = new Mlp(dim, mlpHiddenDim, { activation: new GELU({ approximate: "tanh" }), ...inits });
  }

  /**
   * @param x tokens [batch, length, dim]
   * @param condition [batch, dim]
   */
  forward(x: Tensor, condition: Tensor): Tensor {
    const [shift1, scale1, gate1, shift2, scale2, gate2] = this.modulation(condition);
    const attended = this.attn.forward(modulate(this.norm1.forward(x), shift1, scale1));
    const y = x.add(gate1.multiply(attended));
    return y.add(gate2.multiply(this.mlp.forward(modulate(this.norm2.forward(y), shift2, scale2))));
  }
}

/** From tokens [batch, length, dim] to the values of their patches, [batch, length, outDim]; starts at zero. */
export class FinalLayer extends ModulatedModule {
  readonly normFinal: LayerNorm;
  readonly linear: Linear;

  constructor(dim: number, outDim: number) {
    super(dim, 2);
    this.normFinal = norm(dim);
    this.linear = new Linear(dim, outDim, { weightInit: zeros, biasInit: zeros });
  }

  forward(x: Tensor, condition: Tensor): Tensor {
    const [shift, scale] = this.modulation(condition);
    return this.linear.forward(modulate(this.normFinal.forward(x), shift, scale));
  }
}
