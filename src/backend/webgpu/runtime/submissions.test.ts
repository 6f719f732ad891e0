import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { chunksOf } from "../program/chunks.ts";
import { LONGEST_SUBMISSION, Submissions } from "./submissions.ts";

/** A queue whose work ends when the test says so, in order. */
function fakeDevice() {
  const ends: (() => void)[] = [];
  const submit = vi.fn<(commands: Iterable<GPUCommandBuffer>) => undefined>();
  const onSubmittedWorkDone = (): Promise<undefined> =>
    new Promise((resolve) => void ends.push(() => resolve(undefined)));
  const wait = <T>(work: Promise<T>): Promise<T> => work;
  return { device: { gpu: { queue: { submit, onSubmittedWorkDone } }, wait }, submit, ends };
}

const commands = {} as GPUCommandBuffer;
const settled = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 0));

describe("submissions", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => void vi.useRealTimers());

  test("are at most three in flight, however many are wanted", async () => {
    const { device, submit, ends } = fakeDevice();
    const submissions = new Submissions(device);
    const all = (async () => {
      for (let i = 0; i < 20; i++) await submissions.submit(commands, LONGEST_SUBMISSION);
    })();
    for (let ended = 0; ended < 17; ended++) {
      await settled();
      expect(submit.mock.calls.length - ended).toBe(3);
      vi.advanceTimersByTime(1000 * LONGEST_SUBMISSION);
      ends[ended]();
    }
    await all;
    expect(submit).toHaveBeenCalledTimes(20);
  });

  test("that are small go together without a wait", async () => {
    const { device, submit, ends } = fakeDevice();
    const submissions = new Submissions(device);
    for (let i = 0; i < 100; i++) await submissions.submit(commands, LONGEST_SUBMISSION / 50);
    expect(submit).toHaveBeenCalledTimes(100);
    expect(ends.length).toBeLessThanOrEqual(2);
  });

  test.each([
    [10, 8],
    [1, 1],
    [0.3, 0.25],
    [1e6, 64],
    [1e-6, 1 / 8],
  ])("of a GPU %f times as fast as the model's are %f times as long", async (speed, longest) => {
    const { device, ends } = fakeDevice();
    const submissions = new Submissions(device);
    expect(submissions.longest).toBe(LONGEST_SUBMISSION);
    const given: number[] = [];
    const all = (async () => {
      for (let i = 0; i < 40; i++) {
        given.push(submissions.longest);
        await submissions.submit(commands, submissions.longest);
      }
    })();
    for (let ended = 0; ended < 37; ended++) {
      await settled();
      vi.advanceTimersByTime((1000 * given[ended]) / speed);
      ends[ended]();
    }
    await all;
    expect(submissions.longest).toBe(longest * LONGEST_SUBMISSION);
  });

  test("are no shorter after the host has paused", async () => {
    const { device, ends } = fakeDevice();
    const submissions = new Submissions(device);
    for (let i = 0; i < 10; i++) {
      await submissions.submit(commands, LONGEST_SUBMISSION);
      vi.advanceTimersByTime(60_000);
      for (const end of ends.splice(0)) end();
      await settled();
    }
    expect(submissions.longest).toBe(LONGEST_SUBMISSION);
  });
});

describe("chunks of a program", () => {
  test("take at most so long, but for what takes longer alone, and leave nothing out", () => {
    expect(chunksOf([1, 2, 3, 10, 1, 1], 5)).toEqual([
      { first: 0, end: 2, seconds: 3 },
      { first: 2, end: 3, seconds: 3 },
      { first: 3, end: 4, seconds: 10 },
      { first: 4, end: 6, seconds: 2 },
    ]);
  });

  test("are one where there is nothing to do", () => {
    expect(chunksOf([], 1)).toEqual([{ first: 0, end: 0, seconds: 0 }]);
  });
});
