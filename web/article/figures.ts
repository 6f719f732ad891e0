import type { FigureRegistry } from "../kit/mount.ts";

/** The article's live figures, by the names that stand in docs/tutorial/: `<!-- figure: schedules -->`. */
export const figures: FigureRegistry = {
  schedules: () => import("./figures/schedules/figure.tsx"),
};
