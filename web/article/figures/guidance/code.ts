import { DRAWER_CODE, DRAWER_NAMES, importsOf, literalOf } from "../common/code.ts";
import { guidanceOptions } from "./model.ts";
import type { GuidanceSettings } from "./model.ts";

export function guidanceCode(settings: GuidanceSettings): string {
  return `${importsOf("saveGrid", ...DRAWER_NAMES.slice(1))}
${DRAWER_CODE}
const images = await diffusion.sample(model, ${literalOf(guidanceOptions(settings))});
await saveGrid("guidance.png", images, { scale: 4 });
`;
}
