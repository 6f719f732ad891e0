import { availableParallelism, cpus, totalmem } from "node:os";

/** What figures of this machine must be read with. */
export function benchEnvironment(): Record<string, string | number> {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown processor",
    threads: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.version,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
  };
}
