import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";

/** What figures of this machine must be read with. */
export function benchEnvironment(): Record<string, string | number> {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown processor",
    ...processorFamily(),
    threads: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.version,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
  };
}

/** Which design the processor is of, and how wide its vectors are: cloud providers hide its name. Linux alone tells. */
function processorFamily(): { processorFamily?: string } {
  if (process.platform !== "linux") return {};
  const info = readFileSync("/proc/cpuinfo", "utf8");
  const [, family] = /^cpu family\s*: (\d+)$/m.exec(info) ?? [];
  const [, model] = /^model\s*: (\d+)$/m.exec(info) ?? [];
  if (family === undefined) return {};
  const width = ["avx512f", "avx2"].find((name) => new RegExp(`^flags\\s*:.* ${name}( |$)`, "m").test(info));
  return { processorFamily: [`family ${family} model ${model}`, ...(width === undefined ? [] : [width])].join(", ") };
}
