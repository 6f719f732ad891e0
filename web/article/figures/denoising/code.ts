import { DRAWER_CODE, DRAWER_NAMES, importsOf, literalOf } from "../common/code.ts";
import { denoisingOptions } from "./model.ts";
import type { DenoisingSettings } from "./model.ts";

export function denoisingCode(settings: DenoisingSettings): string {
  return `${importsOf("saveGrid", ...DRAWER_NAMES.slice(1))}
${DRAWER_CODE}
const images = await diffusion.sample(model, ${literalOf(denoisingOptions(settings))});
await saveGrid("denoising.png", images, { scale: 4 });
`;
}
