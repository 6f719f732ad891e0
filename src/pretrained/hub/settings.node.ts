import { homedir } from "node:os";
import { join } from "node:path";
import { readRegularText } from "../../io/regular-file.node.ts";
import { errorCode } from "../../io/file-errors.node.ts";
import type { PretrainedProgress } from "../source/url-source.ts";
import { HUB } from "./repository.ts";

/** How to reach the hub; what is left out follows from the variables that huggingface_hub reads. */
export interface HubOptions {
  /** A branch, a tag or a commit; `main` by default. */
  readonly revision?: string | undefined;
  /** Proves who asks, where that matters; false sends none. Default: `HF_TOKEN`, or the file of `hf auth login`. */
  readonly token?: string | false | undefined;
  /** Where files are kept, Python's place by default: `HF_HUB_CACHE`, or `hub` in `HF_HOME` or ~/.cache/huggingface. */
  readonly cacheDir?: string | undefined;
  /** Asks the hub nothing. Default: whether `HF_HUB_OFFLINE` is set. */
  readonly localFilesOnly?: boolean | undefined;
  readonly onProgress?: ((progress: PretrainedProgress) => void) | undefined;
  /** Is given one line where something unusual happens, such as a hub that does not answer. */
  readonly log?: ((line: string) => void) | undefined;
  /** Stops by throwing its reason. What has been fetched by then stays. */
  readonly signal?: AbortSignal | undefined;
}

export interface HubSettings {
  /** The hub's address, without a slash at its end. */
  readonly endpoint: string;
  readonly cacheDirectory: string;
  readonly isOffline: boolean;
  readonly token: string | undefined;
  /** Whether snapshots may be links to the blobs that they share. */
  readonly usesSymlinks: boolean;
}

/** @throws Error of one line if a variable or an option is not as it should be */
export async function hubSettings(
  { token, cacheDir, localFilesOnly }: HubOptions,
  variables: NodeJS.ProcessEnv = process.env,
): Promise<HubSettings> {
  // An empty variable counts as not set.
  const environment = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ""));
  const home = homeOf(environment);
  return {
    endpoint: checkedEndpoint(environment.HF_ENDPOINT ?? HUB),
    cacheDirectory: cacheDir ?? environment.HF_HUB_CACHE ?? environment.HUGGINGFACE_HUB_CACHE ?? join(home, "hub"),
    isOffline: localFilesOnly ?? isSet(environment.HF_HUB_OFFLINE),
    token: await tokenOf(token, environment, home),
    usesSymlinks: !isSet(environment.HF_HUB_DISABLE_SYMLINKS),
  };
}

/** Where huggingface_hub keeps all that it has. */
function homeOf({ HF_HOME: own, XDG_CACHE_HOME: shared }: NodeJS.ProcessEnv): string {
  if (own !== undefined) return own.startsWith("~/") ? join(homedir(), own.slice(2)) : own;
  return join(shared ?? join(homedir(), ".cache"), "huggingface");
}

function isSet(variable: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(variable ?? "");
}

function checkedEndpoint(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "") return given.replace(/\/+$/, "");
  throw new Error(`HF_ENDPOINT: must be an address that begins with http, got ${JSON.stringify(given.slice(0, 200))}`);
}

async function tokenOf(
  given: string | false | undefined,
  environment: NodeJS.ProcessEnv,
  home: string,
): Promise<string | undefined> {
  if (given === false) return undefined;
  if (given !== undefined) return checkedToken(given, "token");
  if (isSet(environment.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  const { HF_TOKEN: own, HUGGING_FACE_HUB_TOKEN: old } = environment;
  if (own !== undefined) return checkedToken(own, "HF_TOKEN");
  if (old !== undefined) return checkedToken(old, "HUGGING_FACE_HUB_TOKEN");
  const path = environment.HF_TOKEN_PATH ?? join(home, "token");
  const text = await readRegularText(path).catch((error: unknown) => {
    const { cause } = error as { readonly cause?: unknown };
    if (["ENOENT", "ENOTDIR"].includes(errorCode(cause) ?? "")) return "";
    throw error;
  });
  return text.trim() === "" ? undefined : checkedToken(text, path);
}

/** The token itself is never shown. */
function checkedToken(text: string, source: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]{1,500}$/.test(token)) return token;
  throw new Error(`${source}: must be a token of the hub, letters and digits without blanks`);
}
