import { expect, test } from "vitest";
import { StepPipeline } from "./step-pipeline.ts";

/** Steps whose losses arrive when the test says so. */
function steps() {
  const begun: ((line: number) => void)[] = [];
  const taken: number[] = [];
  const pipeline = new StepPipeline<number>({
    begin: (step, drawn) => {
      drawn();
      return new Promise((resolve) => (begun[step] = resolve));
    },
    end: async (line) => (taken.push(line), line),
    isOver: () => false,
  });
  return { begun, taken, pipeline };
}

const settled = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 0));

test("steps begin as far ahead as they may, and no line is lost or out of order", async () => {
  const { begun, taken, pipeline } = steps();
  // None passes the sixth, as one that saves there.
  const mayGoOn = (step: number, ahead: number): boolean => step !== 6 && ahead <= 3;
  const first = pipeline.next(0, mayGoOn);
  await settled();
  expect(begun.length).toBe(4);
  begun[0](0);
  expect(await first).toBe(0);
  begun[1](1);
  expect(await pipeline.next(1, mayGoOn)).toBe(1);
  expect(begun.length).toBe(5);
  for (const step of [2, 3, 4]) begun[step](step);
  for (const step of [2, 3]) expect(await pipeline.next(step, mayGoOn)).toBe(step);
  expect(begun.length).toBe(6);
  begun[5](5);
  await Promise.all([pipeline.settle(), pipeline.settle()]);
  expect(taken).toEqual([0, 1, 2, 3, 4, 5]);
  expect(pipeline.hasLine).toBe(true);
  for (const step of [4, 5]) expect(await pipeline.next(6, mayGoOn)).toBe(step);
  expect(pipeline.hasLine).toBe(false);
});
