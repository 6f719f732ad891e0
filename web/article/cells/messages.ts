import type { Picture } from "unnoise";

/** What the page asks of the worker: to run one cell, in the scope of those before it. */
export interface RunRequest {
  readonly cell: number;
  readonly code: string;
}

/** What a cell puts out, in its order. */
export type Output =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "picture"; readonly name: string; readonly picture: Picture }
  | { readonly kind: "chart"; readonly name: string; readonly svg: string }
  | {
      readonly kind: "animation";
      readonly name: string;
      readonly frames: readonly Picture[];
      readonly delayMs: number;
    };

/** What the worker tells of a cell. */
export type Report =
  | { readonly kind: "output"; readonly cell: number; readonly output: Output }
  | { readonly kind: "end"; readonly cell: number }
  /** One line. */
  | { readonly kind: "fault"; readonly cell: number; readonly fault: string };
