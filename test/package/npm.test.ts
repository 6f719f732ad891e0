import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RegistryUnreachable, npmInstall } from "./npm.ts";

describe("npmInstall gives up on a registry that", () => {
  let folder: string;
  let server: Server | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "unnoise-npm-"));
    await writeFile(join(folder, "package.json"), JSON.stringify({ private: true }));
  });
  afterEach(async () => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  /** Serves as a registry on a free port. */
  async function serve(answer: RequestListener): Promise<string> {
    server = createServer(answer);
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const install = (registry: string): Promise<void> =>
    npmInstall(folder, ["unnoise-of-no-registry"], { registry, requestSeconds: 1, seconds: 8 });

  test("takes a request and never answers", async () => {
    const registry = await serve(() => {});
    await expect(install(registry)).rejects.toThrow("npm install unnoise-of-no-registry: npm error code FETCH_ERROR");
  });

  test("answers, but a byte at a time", async () => {
    const registry = await serve((_, response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      const drip = setInterval(() => response.write(" "), 100);
      response.on("close", () => clearInterval(drip));
    });
    await expect(install(registry)).rejects.toThrow("npm install unnoise-of-no-registry: not done within 8 s");
  });

  test("is not there", async () => {
    const registry = await serve(() => {});
    server?.close();
    await expect(install(registry)).rejects.toThrow(RegistryUnreachable);
  });

  test("but not on an answer that says what is wrong", async () => {
    const registry = await serve((_, response) => response.writeHead(404).end("{}"));
    const error: unknown = await install(registry).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(RegistryUnreachable);
  });
});
