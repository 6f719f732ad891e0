import type { Affine } from "../../../compiler/affine.ts";
import type { Buffer } from "../../../compiler/program.ts";
import { global, local } from "../assembly/control-instructions.ts";
import { FunctionBuilder } from "../assembly/function-builder.ts";
import type { FunctionDefinition } from "../assembly/function-builder.ts";
import type { FunctionType, Integer, Local } from "../assembly/instruction.ts";
import { i32 } from "../assembly/scalar-instructions.ts";
import { wholeLines } from "../emit/addresses.ts";
import { SCRATCH } from "../emit/module-interface.ts";
import type { ResultPlace, Sources } from "../emit/expression-emitter.ts";
import type { MicroKernels } from "./micro-kernel.ts";

/** One kernel as a function of a task's number and the address of a list of buffers' addresses. */
export interface KernelCode {
  readonly definition: FunctionDefinition<undefined>;
  /** The buffers whose addresses it takes, in order. */
  readonly buffers: readonly Buffer[];
  /** Independent pieces of work, numbered from 0. */
  readonly tasks: number;
  /** Bytes of memory of its own that each thread needs. */
  readonly scratchBytes: number;
}

export const KERNEL_TYPE: FunctionType<undefined> = { parameters: ["i32", "i32"], result: undefined };

/** What a kernel is emitted for. */
export interface KernelOptions {
  /** Pairs of vectors are merged to 256 bits. */
  readonly wide: boolean;
  /** How often all of its tasks run in a program: once, or for each slice of a batch. */
  readonly runs: number;
  /** Those of the module that the kernel is a part of. */
  readonly microKernels: MicroKernels;
}

/** A kernel's function under construction, with the buffers that it turns out to use. */
export class KernelBuilder implements Sources {
  readonly code = new FunctionBuilder();
  readonly task = this.code.parameter("task", "i32");
  readonly runs: number;
  readonly microKernels: MicroKernels;
  scratchBytes = 0;
  /** Where the results are that expressions read, all by one index, or by slot in locals. */
  result: { readonly base: Local<"i32">; readonly index: Affine } | readonly Local[] | undefined;
  readonly #addresses = this.code.parameter("addresses", "i32");
  readonly #buffers = new Map<Buffer, Local<"i32">>();

  constructor({ runs, microKernels }: KernelOptions) {
    this.runs = runs;
    this.microKernels = microKernels;
  }

  baseOf(buffer: Buffer): Local<"i32"> {
    const known = this.#buffers.get(buffer);
    if (known) return known;
    const base: Local<"i32"> = { kind: "local", name: `buffer${this.#buffers.size}`, type: "i32" };
    this.#buffers.set(buffer, base);
    return base;
  }

  resultOf(slot: number): ResultPlace {
    if (!this.result) throw new Error("internal: the kernel has no result");
    return "base" in this.result ? this.result : { local: this.result[slot] };
  }

  /** The address of some bytes of the thread's own memory. */
  scratch(bytes: number): Integer {
    const offset = this.scratchBytes;
    this.scratchBytes += wholeLines(bytes);
    return i32.add(global.get(SCRATCH), offset);
  }

  finish(tasks: number): KernelCode {
    const bases = [...this.#buffers.values()];
    const loads = bases.map((base, i) => local.set(base, i32.load(this.#addresses, 4 * i)));
    const { locals, ...definition } = this.code.finish("kernel", undefined, loads);
    return {
      definition: { ...definition, locals: [...bases, ...locals] },
      buffers: [...this.#buffers.keys()],
      tasks,
      scratchBytes: this.scratchBytes,
    };
  }
}
