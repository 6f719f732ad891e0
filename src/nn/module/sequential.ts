import type { Tensor } from "../../tensor/tensor.ts";
import { Module } from "./module.ts";
import type { Layer } from "./module.ts";

/** Layers one after the other; each is named by its place, counted from 0. */
export class Sequential extends Module {
  readonly layers: readonly Layer[];

  constructor(layers: readonly Layer[]) {
    super();
    this.layers = layers;
  }

  override parts(): [string, unknown][] {
    return this.layers.map((layer, i) => [String(i), layer]);
  }

  forward(x: Tensor): Tensor {
    return this.layers.reduce((y, layer) => layer.forward(y), x);
  }
}

/** x + fn(x) (He et al. 2015, 1512.03385). */
export class Residual extends Module {
  readonly fn: Layer;

  constructor(fn: Layer) {
    super();
    this.fn = fn;
  }

  forward(x: Tensor): Tensor {
    return this.fn.forward(x).add(x);
  }
}
