import { importsOf, literalOf } from "../common/code.ts";
import { COMPARED } from "./model.ts";

export function schedulesCode(timesteps: number, t: number): string {
  return `${importsOf("betaSchedule", "noiseSchedule", "saveChart")}
const names = ${literalOf(COMPARED)} as const;
const lines = names.map((name) => ({ name, y: noiseSchedule(betaSchedule(name, ${timesteps})).sqrtAlphasCumprod }));
for (const { name, y } of lines) console.log(name, y[${t}]);
await saveChart("schedules.svg", { lines, xLabel: "timestep", yLabel: "share of the picture" });
`;
}
