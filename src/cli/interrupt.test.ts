import { afterEach, expect, test, vi } from "vitest";
import { catchInterrupt } from "./interrupt.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("a first Ctrl-C asks to stop, a second one stops at once", () => {
  vi.spyOn(process, "exit").mockImplementation((code) => {
    throw new Error(`exit ${code}`);
  });
  const clock = vi.spyOn(performance, "now").mockReturnValue(1000);
  let asked = 0;
  const interrupt = catchInterrupt(() => asked++);
  expect(interrupt.signal.aborted).toBe(false);
  process.emit("SIGINT");
  expect(interrupt.signal.aborted).toBe(true);
  expect(asked).toBe(1);
  // npm passes on what the terminal has sent already.
  clock.mockReturnValue(1010);
  process.emit("SIGINT");
  clock.mockReturnValue(1500);
  expect(() => process.emit("SIGINT")).toThrow("exit 130");
  expect(asked).toBe(1);
  interrupt.release();
});

test("after its release Ctrl-C means what it meant before", () => {
  const listeners = () => ["SIGINT", "SIGTERM"].map((signal) => process.listenerCount(signal));
  const [int, term] = listeners();
  const interrupt = catchInterrupt(() => {});
  expect(listeners()).toEqual([int + 1, term + 1]);
  interrupt.release();
  expect(listeners()).toEqual([int, term]);
});
