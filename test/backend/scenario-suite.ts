import { describe, expect, test } from "vitest";
import { elementwiseScenarios, otherScenarios } from "./composition-scenarios.ts";
import { reductionScenarios } from "./reduction-scenarios.ts";
import type { Context } from "./context.ts";
import { contractionScenarios, layerScenarios } from "./layer-scenarios.ts";
import { transformerScenarios } from "./transformer-scenarios.ts";
import { drawScenario } from "./random-graph.ts";
import { differenceOf } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";
import { variableScenarios } from "./variable-scenarios.ts";

const FAMILIES = {
  "elementwise work": elementwiseScenarios,
  reductions: reductionScenarios,
  "tables, random numbers and outputs": otherScenarios,
  contractions: contractionScenarios,
  layers: layerScenarios,
  transformers: transformerScenarios,
  variables: variableScenarios,
} as const satisfies Readonly<Record<string, readonly Scenario[]>>;

type Family = keyof typeof FAMILIES;

const families = Object.keys(FAMILIES) as Family[];

/** Programs written to be hard to fuse, schedule or update in place. */
export function describeScenarios(context: Context, chosen: readonly Family[] = families): void {
  for (const family of chosen) {
    describe(`${family} agree with the reference:`, () => {
      test.for<Scenario>(FAMILIES[family])("$name", async (scenario) => {
        for (const seed of [1, 2]) expect(await differenceOf(context, scenario, seed)).toBeUndefined();
      });
    });
  }
}

const { UNNOISE_GRAPH_SEED, UNNOISE_GRAPHS } = process.env;

/** UNNOISE_GRAPH_SEED runs one graph, UNNOISE_GRAPHS that many. */
export function describeRandomGraphs(context: Context): void {
  const count = Number(UNNOISE_GRAPHS ?? context.randomGraphs);
  const seeds =
    UNNOISE_GRAPH_SEED === undefined ? Array.from({ length: count }, (_, i) => i) : [Number(UNNOISE_GRAPH_SEED)];
  describe("random graphs agree with the reference:", () => {
    test.for(seeds)("UNNOISE_GRAPH_SEED=%i", async (seed) => {
      expect(await differenceOf(context, drawScenario(seed), seed)).toBeUndefined();
    });
  });
}
