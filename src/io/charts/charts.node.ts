import { extname } from "node:path";
import { writeFileAtomic } from "../atomic.node.ts";
import { lineChart } from "./line-chart.ts";
import type { ChartOptions } from "./line-chart.ts";

/**
 * Writes a {@link lineChart} as an SVG file, whole or not at all.
 *
 * @throws Error of one line if the name does not end in .svg, or there is nothing to draw
 */
export async function saveChart(path: string, options: ChartOptions): Promise<void> {
  if (extname(path).toLowerCase() !== ".svg") throw new Error(`${path}: a chart's name must end in .svg`);
  await writeFileAtomic(path, lineChart(options));
}
