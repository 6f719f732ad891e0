import type { Tensor } from "../../tensor/tensor.ts";
import { SiLU } from "../../nn/activations.ts";
import { zeros } from "../../nn/init.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module/module.ts";
import { Sequential } from "../../nn/module/sequential.ts";

/** A layer that a condition [batch, dim] shifts, scales and gates, as many times `dim` numbers as it needs. */
export abstract class ModulatedModule extends Module {
  /** A linear layer of the condition's SiLU, which starts at zero: "adaLN-Zero". */
  readonly adaLnModulation: Sequential;

  constructor(dim: number, count: number) {
    super();
    this.adaLnModulation = new Sequential([
      new SiLU(),
      new Linear(dim, count * dim, { weightInit: zeros, biasInit: zeros }),
    ]);
  }

  override parts(): [string, unknown][] {
    return super.parts().map(([name, part]) => [name === "ada_ln_modulation" ? "adaLN_modulation" : name, part]);
  }

  /** `count` tensors [batch, 1, dim], which broadcast over tokens. */
  protected modulation(condition: Tensor): Tensor[] {
    const { shape } = condition;
    const all = this.adaLnModulation.forward(condition);
    return all.chunk(all.shape[1] / shape[1]).map((part) => part.reshape([shape[0], 1, shape[1]]));
  }
}

/** x (1 + scale) + shift */
export function modulate(x: Tensor, shift: Tensor, scale: Tensor): Tensor {
  return x.multiply(scale.add(1)).add(shift);
}
