import type { Backend, DiffusionModel, GaussianDiffusion } from "unnoise";

/** What it takes to draw garments. */
export interface Drawer {
  readonly model: DiffusionModel;
  readonly diffusion: GaussianDiffusion;
  readonly backend: Backend;
}
