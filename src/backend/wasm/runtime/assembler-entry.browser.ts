import { serve } from "../../common/channel.ts";
import { assemble } from "./assembler.ts";
import type { Assemble } from "./assembler.ts";

export interface AssemblerFunctions {
  readonly assemble: Assemble;
}

// Vite's dev server hands out wabt, a UMD file, as it stands: then there is no CommonJS, and it asks for AMD's `define`.
const define = (_: unknown, make: () => unknown): void => void Object.assign(self, { WabtModule: make() });
Object.assign(self, { define: Object.assign(define, { amd: true }) });

serve<AssemblerFunctions>(self, { assemble });
