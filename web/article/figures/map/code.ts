import { importsOf } from "../common/code.ts";

export function mapCode(): string {
  return `${importsOf("Unet", "formatSummary", "summary")}
const unet = new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4] });
console.log(formatSummary(summary(unet, 28)));
`;
}
