import { execFile } from "node:child_process";
import { delimiter, dirname } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** The registry was not there, was too slow, or did not know what to say; nothing is wrong with the package. */
export class RegistryUnreachable extends Error {}

export interface InstallOptions {
  /** Of one request, which is tried twice. */
  readonly requestSeconds?: number | undefined;
  /** Of all requests together. */
  readonly seconds?: number | undefined;
  /** Its address; npm's own unless given. */
  readonly registry?: string | undefined;
}

/** The codes that npm gives for a network or a registry that fails. */
const NETWORK_CODES =
  /^npm (?:error|ERR!) code (?:FETCH_ERROR|E5\d\d|E429|E[A-Z_]*TIMEOUT|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ECONN\w+|EHOSTUNREACH|ENETUNREACH)$/m;

/** The PATH without what npm put before it for its scripts. */
const machinePath = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((folder) => !folder.includes("node_modules"))
  .join(delimiter);

/** The environment of a stranger's shell, of nothing that npm or vitest set; its Node is `node` where one is given. */
export function shell(node?: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_(?!EXTRA_CA_CERTS)|VITEST|INIT_CWD)/i.test(name),
  );
  return { ...Object.fromEntries(own), PATH: node ? [dirname(node), machinePath].join(delimiter) : machinePath };
}

/** Runs npm in a folder; returns what it prints. */
export async function npm(folder: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execute("npm", args, { cwd: folder, env: shell(process.execPath) });
  return stdout;
}

/**
 * Installs packages into a folder, from npm's cache where it has them.
 *
 * @throws RegistryUnreachable of one line if the registry does not deliver in the given time
 */
export async function npmInstall(
  folder: string,
  packages: readonly string[],
  { requestSeconds = 20, seconds = 150, registry }: InstallOptions = {},
): Promise<void> {
  const bounds = [`--fetch-timeout=${1000 * requestSeconds}`, "--fetch-retries=1", "--fetch-retry-maxtimeout=1000"];
  const flags = ["--no-audit", "--no-fund", "--prefer-offline", "--fetch-retry-mintimeout=1000", ...bounds];
  if (registry !== undefined) flags.push(`--registry=${registry}`);
  const options = { cwd: folder, env: shell(process.execPath), timeout: 1000 * seconds };
  try {
    await execute("npm", ["install", ...packages, ...flags], options);
  } catch (error) {
    const { killed, stderr } = error as { readonly killed?: boolean; readonly stderr?: string };
    const what = `npm install ${packages.join(" ")}`;
    if (killed) throw new RegistryUnreachable(`${what}: not done within ${seconds} s`, { cause: error });
    const [code] = NETWORK_CODES.exec(stderr ?? "") ?? [];
    if (code !== undefined) throw new RegistryUnreachable(`${what}: ${code}`, { cause: error });
    throw error;
  }
}
