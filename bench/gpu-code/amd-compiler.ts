import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Where Vulkan drivers are named on Linux; VK_DRIVER_FILES names others. */
const DRIVER_DIRECTORIES = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
/** An integrated GPU of RDNA 2, the Radeon 680M. */
const FAMILY = "rembrandt";
const MOST_OUTPUT = 1 << 27;

/** Compiles WGSL to the machine code of an AMD GPU, which need not be there: naga makes SPIR-V of it, Mesa's RADV the rest. */
export class AmdCompiler {
  readonly #directory: string;
  readonly #driver: string;

  private constructor(directory: string, driver: string) {
    this.#directory = directory;
    this.#driver = driver;
  }

  /** @throws Error of one line that says what is not installed */
  static async create(environment: NodeJS.ProcessEnv = process.env): Promise<AmdCompiler> {
    const driver = findDriver(environment);
    if (driver === undefined) throw new Error("Mesa's RADV is not installed (mesa-vulkan-drivers)");
    await run("naga", ["--version"]).catch(() => {
      throw new Error("naga is not installed (cargo install naga-cli)");
    });
    const directory = await mkdtemp(join(tmpdir(), "unnoise-gpu-code-"));
    const source = fileURLToPath(new URL("compile.c", import.meta.url));
    try {
      await run("cc", ["-O1", "-o", join(directory, "compile"), source, "-lvulkan"]);
    } catch {
      await rm(directory, { recursive: true });
      throw new Error("a C compiler and Vulkan's headers are not installed (gcc, libvulkan-dev)");
    }
    return new AmdCompiler(directory, driver);
  }

  /** The disassembly as Mesa prints it. */
  async disassemble(wgsl: string): Promise<string> {
    const [source, binary] = [join(this.#directory, "shader.wgsl"), join(this.#directory, "shader.spv")];
    await writeFile(source, wgsl);
    await run("naga", [source, binary]);
    const { stderr } = await run(join(this.#directory, "compile"), [binary], {
      maxBuffer: MOST_OUTPUT,
      env: {
        ...process.env,
        VK_DRIVER_FILES: this.#driver,
        VK_ICD_FILENAMES: this.#driver,
        RADV_FORCE_FAMILY: FAMILY,
        RADV_DEBUG: "shaders,nocache",
      },
    });
    return stderr;
  }

  async dispose(): Promise<void> {
    await rm(this.#directory, { recursive: true });
  }
}

function findDriver({ VK_DRIVER_FILES, VK_ICD_FILENAMES }: NodeJS.ProcessEnv): string | undefined {
  const named = [VK_DRIVER_FILES, VK_ICD_FILENAMES].flatMap((paths) => paths?.split(":") ?? []);
  const usual = DRIVER_DIRECTORIES.filter((path) => existsSync(path)).flatMap((path) =>
    readdirSync(path).map((name) => join(path, name)),
  );
  return [...named, ...usual].find((path) => /radeon[^/]*\.json$/.test(path) && existsSync(path));
}
