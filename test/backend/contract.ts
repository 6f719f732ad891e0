import { afterAll, beforeAll, describe } from "vitest";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import type { Backend } from "../../src/backend/backend.ts";
import { DEFAULT_TOLERANCES } from "./context.ts";
import type { Context, Tolerances } from "./context.ts";
import { describeOwnership } from "./ownership-suite.ts";
import { describeOps } from "./op-suite.ts";
import { describePrograms } from "./program-suite.ts";
import { describeRandomGraphs, describeScenarios } from "./scenario-suite.ts";

type Expectations = Partial<Tolerances> & { readonly randomGraphs?: number };

/** What every backend must do: a suite of tests that compares it with the reference. */
export function describeBackend(
  name: string,
  createBackend: () => Promise<Backend> | Backend,
  expectations: Expectations = {},
): void {
  describeOnBackend(name, createBackend, expectations, (context) => {
    describePrograms(context, createBackend);
    describeOwnership(context, createBackend);
    describeOps(context);
    describeScenarios(context);
    describeRandomGraphs(context);
  });
}

/** Tests that compare one backend with the reference. */
export function describeOnBackend(
  name: string,
  createBackend: () => Promise<Backend> | Backend,
  { randomGraphs = 250, ...tolerances }: Expectations,
  tests: (context: Context) => void,
): void {
  describe(`${name} backend`, () => {
    let backend: Backend | undefined;
    const reference = ReferenceBackend.create();
    beforeAll(async () => {
      backend = await createBackend();
    });
    afterAll(async () => {
      await backend?.close();
      await reference.close();
    });
    tests({
      backend: () => {
        if (!backend) throw new Error(`the ${name} backend could not be created`);
        return backend;
      },
      reference,
      tolerances: { ...DEFAULT_TOLERANCES, ...tolerances },
      randomGraphs,
    });
  });
}
