import { serve } from "../remote/channel.ts";
import { assemble } from "./assembler.ts";
import type { Assemble } from "./assembler.ts";

export interface AssemblerFunctions {
  readonly assemble: Assemble;
}

serve<AssemblerFunctions>(self, { assemble });
