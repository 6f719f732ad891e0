import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";

/** UNNOISE_CHROMIUM, or the first `chromium` or `google-chrome` on the PATH; undefined where there is none. */
export function findChromium(): string | undefined {
  const { UNNOISE_CHROMIUM, PATH = "" } = process.env;
  if (UNNOISE_CHROMIUM !== undefined) return UNNOISE_CHROMIUM;
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const candidates = PATH.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Has WebGPU on SwiftShader, a GPU in software, which takes seconds to compile the clearing of workgroup memory that a
 * shader writes before it reads it anyway.
 */
export function launchChromium(executablePath: string): Promise<Browser> {
  const gpu = [
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--disable-gpu-sandbox",
    "--enable-dawn-features=disable_workgroup_init",
  ];
  return chromium.launch({ executablePath, args: [...gpu, "--no-sandbox", "--disable-background-networking"] });
}
