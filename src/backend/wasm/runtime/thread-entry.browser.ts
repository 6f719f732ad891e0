import { serve } from "../../remote/channel.ts";
import type { Answer, Command } from "./team.ts";
import { WorkerProgram } from "./worker.ts";

export interface ThreadFunctions {
  readonly answer: (command: Command) => Promise<Answer>;
}

const program = new WorkerProgram();
serve<ThreadFunctions>(self, { answer: (command) => program.answer(command) });
