import type { Tensor } from "../tensor/tensor.ts";
import { GELU } from "./activations.ts";
import { Random } from "./init.ts";
import type { Initializer } from "./init.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module/module.ts";
import type { Layer } from "./module/module.ts";
import { requireWhole } from "./validate.ts";
import { checkNames } from "../config/rules.ts";

export interface MlpOptions {
  /** Between the two linear layers; default GELU. */
  readonly activation?: Layer;
  readonly weightInit?: Initializer;
  readonly biasInit?: Initializer;
  readonly random?: Random;
}

/** fc2(activation(fc1(x))) from [..., dim] through [..., hiddenDim] to [..., dim]; the names are those of timm's `Mlp`. */
export class Mlp extends Module {
  readonly fc1: Linear;
  readonly act: Layer;
  readonly fc2: Linear;

  constructor(dim: number, hiddenDim: number, options: MlpOptions = {}) {
    super();
    checkNames("Mlp", options, ["activation", "weightInit", "biasInit", "random"]);
    requireWhole("Mlp", { dim, hiddenDim });
    const { activation = new GELU(), random = new Random(), ...inits } = options;
    this.fc1 = new Linear(dim, hiddenDim, { ...inits, random });
    this.act = activation;
    this.fc2 = new Linear(hiddenDim, dim, { ...inits, random });
  }

  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.act.forward(this.fc1.forward(x)));
  }
}
