import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { ChildLines } from "../contest/child-lines.ts";
import type { StepPlan } from "./plan.ts";

const ready = z.object({ ready: z.object({ description: z.string(), modes: z.array(z.string()) }) });
const answer = z.object({ seconds: z.number() });

/** PyTorch on the same GPU, in a process of its own. */
export class GpuPeer {
  readonly description: string;
  /** How it can compute a step. */
  readonly modes: readonly string[];
  readonly #lines: ChildLines;

  private constructor(lines: ChildLines, { description, modes }: z.infer<typeof ready>["ready"]) {
    this.#lines = lines;
    this.description = description;
    this.modes = modes;
  }

  /**
   * @param signal ends the process when it is aborted
   * @throws Error of one line if there is no PyTorch with CUDA, which with `anywhere` may also be without
   */
  static async start(python: string, anywhere: boolean, signal: AbortSignal): Promise<GpuPeer> {
    const script = fileURLToPath(new URL("../peers/gpu_peer.py", import.meta.url));
    const child = spawn(python, ["-B", script, ...(anywhere ? ["--processor"] : [])]);
    const lines = new ChildLines("PyTorch", child);
    signal.addEventListener("abort", () => child.kill("SIGKILL"));
    try {
      return new GpuPeer(lines, (await lines.readAs(ready)).ready);
    } catch (error) {
      await lines.close();
      throw error;
    }
  }

  /** Seconds of one training step, as a mean of the plan's. */
  async seconds(mode: string, { network, imageSize, batchSize, steps }: StepPlan): Promise<number> {
    this.#lines.write({ mode, network, size: imageSize, batch: batchSize, steps });
    return (await this.#lines.readAs(answer)).seconds;
  }

  close(): Promise<void> {
    return this.#lines.close();
  }
}
