import { afterEach, describe, expect, test, vi } from "vitest";
import { OutOfMemory } from "../../common/out-of-memory.ts";
import { Heap } from "./heap.ts";

const { Memory } = WebAssembly;
const MIB = 2 ** 20;

/** An engine that gives no memory which may grow beyond so many bytes. */
function limitMemory(bytes: number): void {
  class Limited extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      if ((descriptor.maximum ?? 0) * 65536 > bytes) throw new RangeError("could not allocate memory");
      super(descriptor);
    }
  }
  vi.spyOn(WebAssembly, "Memory", "get").mockReturnValue(Limited);
}

describe("a heap", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test("is shared only if threads are to share it", () => {
    expect(new Heap(true).memory.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(new Heap(false).memory.buffer).toBeInstanceOf(ArrayBuffer);
  });

  test("does with less than 4 GiB where an engine does not give them, and says when that is full", () => {
    limitMemory(512 * MIB);
    const heap = new Heap(true);
    expect(heap.allocate(300 * MIB)).toBeGreaterThan(0);
    expect(() => heap.allocate(300 * MIB)).toThrow(OutOfMemory);
  });

  test("does not come about where an engine gives too little", () => {
    limitMemory(MIB);
    expect(() => new Heap(true)).toThrow("could not allocate memory");
  });
});
