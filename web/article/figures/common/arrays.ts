import { ndarray } from "unnoise";
import type { NdArray } from "unnoise";

/** An array of one number: a timestep, a seed, a rate. */
export const timestep = (t: number): NdArray => ndarray([t], [], "i32");
export const number = (value: number): NdArray => ndarray([value], []);
export const word = (value: number): NdArray => ndarray([value], [], "u32");
