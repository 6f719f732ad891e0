import { DRAWER_CODE, DRAWER_NAMES, importsOf, literalOf } from "../common/code.ts";
import { samplerOptions, ways } from "./model.ts";
import type { SamplersSettings } from "./model.ts";

export function samplersCode(settings: SamplersSettings): string {
  return `${importsOf("concatenateArrays", "saveGrid", ...DRAWER_NAMES.slice(1))}
${DRAWER_CODE}
const rows = [];
for (const options of [
${ways.map((way) => `  ${literalOf(samplerOptions(way, settings))},\n`).join("")}] as const) {
  rows.push(await diffusion.sample(model, options));
}
await saveGrid("samplers.png", concatenateArrays(rows), { columns: ${settings.batchSize}, scale: 4 });
`;
}
