// Our side of the benches, as a process: see Participant for what it says and is asked.
import { parseArgs } from "node:util";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.node.ts";
import { measureProfile } from "../../src/bench/measure-profile.ts";
import { measurePeak } from "../../src/bench/peak.node.ts";
import { sizeNames } from "../../src/bench/sizes.ts";
import { workloadNames } from "../../src/bench/workload-names.ts";
import { Workload } from "../../src/bench/workload.ts";
import { programCache } from "../../src/cli/caches/program-cache.ts";
import { check, oneOf, wholeNumber } from "../../src/config/rules.ts";
import { z } from "zod";
import { serve } from "./serve.ts";
import type { Service } from "./serve.ts";

const settings = z.strictObject({
  workload: oneOf(workloadNames),
  size: oneOf(sizeNames),
  batch: z.coerce.number().pipe(wholeNumber(1)),
  threads: z.coerce.number().pipe(wholeNumber(1)),
  /** 128 keeps V8 from merging pairs of vectors to 256 bits. */
  simd: oneOf(["128", "256"]),
  /** Whether programs that were compiled earlier are used. */
  cache: oneOf(["kept", "none"]),
});

const profileRequest = z.looseObject({ rounds: z.number() });

async function start(): Promise<Service> {
  const options = Object.fromEntries(Object.keys(settings.shape).map((name) => [name, { type: "string" as const }]));
  const { batch, threads, simd, cache, ...given } = check(settings, parseArgs({ options }).values, "ours");
  const kept = cache === "kept" ? programCache() : undefined;
  const backend = await createWasmBackend({ threads, wide: simd === "256", cache: kept });
  const workload = new Workload(backend, given.workload, { size: given.size, batchSize: batch });
  await workload.step();
  const peak = () => measurePeak(backend.features, threads);
  return {
    description: `unnoise on ${backend.description}`,
    answers: {
      step: async () => ({ seconds: await workload.step() }),
      profile: (request) => {
        return measureProfile(workload, { peak, rounds: check(profileRequest, request, "request").rounds });
      },
    },
  };
}

await serve("ours", start);
