import type { Callable, Global } from "../assembly/instruction.ts";

// What every program's module is given by the thread that runs it, and what it has for itself.

/** Math.pow, for which WebAssembly has no instruction. */
export const POW = { name: "pow", type: { parameters: ["f64", "f64"], result: "f64" } } as const satisfies Callable;

/** Is told of a kernel that ended, by its place in the table of kernels. */
export const TICK = { name: "tick", type: { parameters: ["i32"], result: undefined } } as const satisfies Callable;

/** How often threads will have arrived at a barrier when all are there; over all of a thread's programs. */
export const ARRIVALS: Global<"i32"> = { name: "arrivals", type: "i32" };

/** The address of the thread's own memory. */
export const SCRATCH: Global<"i32"> = { name: "scratch", type: "i32" };
