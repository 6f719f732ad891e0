import { z } from "zod";
import type { ProgramProfile } from "../../src/bench/measure-profile.ts";

const positive = z.number().positive();
const count = z.number().nonnegative();

/** A profile as our process sends it. */
export const profileAnswer: z.ZodType<ProgramProfile> = z.object({
  name: z.string(),
  peak: positive,
  kernels: z.array(
    z.object({
      index: count,
      name: z.string(),
      kind: z.string(),
      work: z.string(),
      seconds: count,
      flops: count,
      bytes: count,
    }),
  ),
});
