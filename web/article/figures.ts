import type { FigureRegistry } from "../kit/mount.ts";

/** The article's live figures, by the names that stand in docs/tutorial/: `<!-- figure: schedules -->`. */
export const figures: FigureRegistry = {
  opening: () => import("./figures/opening/figure.tsx"),
  noise: () => import("./figures/noise/figure.tsx"),
  walks: () => import("./figures/walks/figure.tsx"),
  schedules: () => import("./figures/schedules/figure.tsx"),
  perfect: () => import("./figures/perfect/figure.tsx"),
  map: () => import("./figures/map/figure.tsx"),
  points: () => import("./figures/points/figure.tsx"),
  training: () => import("./figures/training/figure.tsx"),
  guess: () => import("./figures/guess/figure.tsx"),
  denoising: () => import("./figures/denoising/figure.tsx"),
  samplers: () => import("./figures/samplers/figure.tsx"),
  guidance: () => import("./figures/guidance/figure.tsx"),
  strength: () => import("./figures/editing/strength.tsx"),
  between: () => import("./figures/editing/between.tsx"),
  brush: () => import("./figures/editing/brush.tsx"),
};
