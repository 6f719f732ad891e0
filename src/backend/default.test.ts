import { afterEach, describe, expect, test, vi } from "vitest";
import type { BackendOptions } from "./backend.ts";
import { createBackend, defaultBackend } from "./default.ts";
import { isNode } from "./opener.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

describe("the default backend", () => {
  test("is one for all who ask, at once or later", async () => {
    const [first, second] = await Promise.all([defaultBackend(), defaultBackend()]);
    expect(second).toBe(first);
    expect(await defaultBackend()).toBe(first);
    await first.close();
  });

  test("is opened anew after it failed", async () => {
    vi.stubEnv("UNNOISE_THREADS", "many");
    await expect(defaultBackend()).rejects.toThrow("UNNOISE_THREADS must be a whole number");
    await expect(defaultBackend()).rejects.toThrow("UNNOISE_THREADS must be a whole number");
    vi.stubEnv("UNNOISE_THREADS", "1");
    const backend = await defaultBackend();
    expect(backend.description).toMatch(/^WebAssembly, 1 thread,/);
    await backend.close();
  });

  test("is opened anew after it was closed, once for all who ask", async () => {
    const closed = await defaultBackend();
    const closing = closed.close();
    expect(closed.isClosed).toBe(true);
    const [first, second] = await Promise.all([defaultBackend(), defaultBackend()]);
    await closing;
    expect(first).not.toBe(closed);
    expect(second).toBe(first);
    expect(first.isClosed).toBe(false);
    const program = await first.load({ inputs: [], outputs: [], updates: [] });
    expect(await program.run([])).toEqual([]);
    await first.close();
  });
});

describe("options of a backend that cannot be are refused in one line:", () => {
  const cases: readonly [unknown, string][] = [
    [{ device: "gpu" }, 'device must be one of auto, webgpu, wasm, got "gpu"'],
    [{ device: "webgpu", threads: 0 }, "threads must be a whole number of at least 1, got 0"],
    [{ threads: "2" }, 'threads must be a whole number of at least 1, got "2"'],
    [{ threads: 1.5 }, "threads must be a whole number of at least 1, got 1.5"],
    [{ precision: "half" }, 'precision must be one of f32, strict, f16, got "half"'],
    [{ thread: 2 }, "has no option thread, did you mean threads?"],
    [{ tune: "yes" }, 'tune must be true or false, got "yes"'],
    [{ cache: "somewhere" }, "cache must have read and write"],
    [{ log: true }, "log must be a function"],
    ["wasm", 'must be an object, got "wasm"'],
  ];
  test.each(cases)("%j", async (options, fault) => {
    await expect(createBackend(options as BackendOptions)).rejects.toThrow(`createBackend: ${fault}`);
  });

  test("too many threads", async () => {
    await expect(createBackend({ device: "wasm", threads: 100_000 })).rejects.toThrow(
      /^wasm: threads must be a whole number from 1 to \d+, got 100000$/,
    );
  });
});

describe("where this runs", () => {
  test("is Node, also with a document such as jsdom's", () => {
    expect(isNode()).toBe(true);
    vi.stubGlobal("document", {});
    expect(isNode()).toBe(true);
  });

  test("is a page, also with the process of Electron", () => {
    vi.stubGlobal("document", {});
    vi.stubGlobal("Worker", function Worker() {});
    expect(isNode()).toBe(false);
  });
});
