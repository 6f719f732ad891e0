import { afterAll, beforeAll, describe } from "vitest";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import type { Backend } from "../../src/backend/backend.ts";
import { DEFAULT_TOLERANCES } from "./context.ts";
import type { Context, Tolerances } from "./context.ts";
import { describeOps } from "./op-suite.ts";
import { describePrograms } from "./program-suite.ts";
import { describeRandomGraphs, describeScenarios } from "./scenario-suite.ts";

/** What every backend must do: a suite of tests that compares it with the reference. */
export function describeBackend(
  name: string,
  createBackend: () => Promise<Backend> | Backend,
  { randomGraphs = 250, ...tolerances }: Partial<Tolerances> & { readonly randomGraphs?: number } = {},
): void {
  describe(`${name} backend`, () => {
    let backend: Backend | undefined;
    const reference = ReferenceBackend.create();
    const context: Context = {
      backend: () => {
        if (!backend) throw new Error(`the ${name} backend could not be created`);
        return backend;
      },
      reference,
      tolerances: { ...DEFAULT_TOLERANCES, ...tolerances },
      randomGraphs,
    };
    beforeAll(async () => {
      backend = await createBackend();
    });
    afterAll(async () => {
      await backend?.close();
      await reference.close();
    });
    describePrograms(context, createBackend);
    describeOps(context);
    describeScenarios(context);
    describeRandomGraphs(context);
  });
}
