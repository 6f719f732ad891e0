import { expect, test } from "vitest";
import { Scheduler } from "./scheduler.ts";
import type { Lane } from "./scheduler.ts";

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

function lanes(...visibilities: readonly number[]) {
  const scheduler = new Scheduler();
  const all = visibilities.map((visibility) => Object.assign(scheduler.lane(), { visibility }));
  return { scheduler, lanes: all };
}

/** Work that lasts until it is told to end. */
function held(lane: Lane, log: string[], name: string) {
  let end = (): void => {};
  const ending = new Promise<void>((resolve) => (end = resolve));
  const done = lane.run(async () => {
    log.push(name);
    await ending;
  });
  return { end, done };
}

test("of twenty wishes of one figure the first and the last run, and the last is told that it ended", async () => {
  const {
    lanes: [lane],
  } = lanes(1);
  const shown: number[] = [];
  const runs = Array.from({ length: 20 }, (_, value) =>
    lane.run(async ({ signal }) => {
      await settled();
      signal.throwIfAborted();
      shown.push(value);
    }),
  );
  const ended = await Promise.all(runs);
  expect(shown).toEqual([19]);
  expect(ended.map((isDone, value) => (isDone ? value : -1)).filter((value) => value >= 0)).toEqual([19]);
});

test("one thing runs at a time, and the figure that is seen most is next", async () => {
  const {
    lanes: [first, little, much],
  } = lanes(10, 1, 5);
  const log: string[] = [];
  const running = held(first, log, "first");
  const others = [held(little, log, "little"), held(much, log, "much")];
  await settled();
  expect(log).toEqual(["first"]);
  running.end();
  await settled();
  expect(log).toEqual(["first", "much"]);
  others[1].end();
  await settled();
  expect(log).toEqual(["first", "much", "little"]);
  others[0].end();
  await Promise.all(others.map(({ done }) => done));
});

test("long work lets others go first between its steps, and takes turns with other long work", async () => {
  const {
    lanes: [a, b, quick],
  } = lanes(10, 10, 1);
  const log: string[] = [];
  const long = (lane: Lane, name: string) =>
    lane.run(async (turn) => {
      for (let step = 0; step < 3; step++) {
        log.push(`${name}${step}`);
        await turn.next();
      }
    });
  const works = [long(a, "a"), long(b, "b"), quick.run(async () => void log.push("quick"))];
  await Promise.all(works);
  expect(log.indexOf("quick")).toBeLessThan(4);
  expect(log.filter((entry) => entry !== "quick")).toEqual(["a0", "b0", "a1", "b1", "a2", "b2"]);
});

test("a figure that is not seen waits, in the middle of long work too, as all do in a hidden tab", async () => {
  const {
    scheduler,
    lanes: [lane],
  } = lanes(0);
  let steps = 0;
  const work = lane.run(async (turn) => {
    for (; steps < 1000; steps++) await turn.next();
  });
  await settled();
  expect(steps).toBe(0);
  lane.visibility = 1;
  await settled();
  lane.visibility = 0;
  await settled();
  const seen = steps;
  expect(seen).toBeGreaterThan(0);
  await settled();
  expect(steps).toBe(seen);
  scheduler.isPaused = true;
  lane.visibility = 1;
  await settled();
  expect(steps).toBe(seen);
  lane.cancel();
  expect(await work).toBe(false);
});

test("a fault of the work is its caller's, and the queue goes on", async () => {
  const {
    lanes: [a, b],
  } = lanes(1, 1);
  await expect(a.run(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  expect(await b.run(async () => {})).toBe(true);
});
