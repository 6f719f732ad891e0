import { InvalidArgumentError } from "commander";
import type * as z from "zod/mini";
import { firstFault } from "../../config/rules.ts";

/** Reads a flag's number and checks it: --steps 0 is refused with the requirement and the value. */
export function numberFlag(rule: z.ZodMiniType<number>): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    const result = rule.safeParse(value);
    if (result.success) return result.data;
    // Commander has named the value already.
    throw new InvalidArgumentError(`It ${firstFault(result.error).replace(/, got .*$/, "")}`);
  };
}

/** Reads numbers with commas between them: 1,2,4 */
export function numbersFlag(rule: z.ZodMiniType<number>): (text: string) => number[] {
  const one = numberFlag(rule);
  return (text) => text.split(",").map(one);
}
