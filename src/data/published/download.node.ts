import { errorCode, errorLine } from "../../io/file-errors.node.ts";

export interface DownloadProgress {
  /** Last part of the address. */
  readonly file: string;
  readonly receivedBytes: number;
  /** Undefined where the server does not say. */
  readonly totalBytes: number | undefined;
}

export interface DownloadOptions {
  /** Refuse more than this. */
  readonly maxBytes: number;
  /** Milliseconds until the server has to answer; 3000 by default, so that a machine without a network goes on soon. */
  readonly connectTimeoutMs?: number | undefined;
  /** Milliseconds without a byte after which a download is given up; 10,000 by default. */
  readonly stallTimeoutMs?: number | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

const explanations: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection lost",
  EAI_AGAIN: "its name cannot be looked up",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "no network",
  ENOTFOUND: "its name cannot be looked up",
  UND_ERR_SOCKET: "connection lost",
};

/**
 * Downloads one file into memory.
 *
 * @throws Error of one line: no network, an answer other than 200, too many bytes, or no more bytes.
 */
export async function download(url: string, options: DownloadOptions): Promise<Uint8Array> {
  const { maxBytes, connectTimeoutMs = 3000, stallTimeoutMs = 10_000, onProgress } = options;
  const watch = new Watch();
  try {
    watch.within(connectTimeoutMs, "no answer");
    const response = await fetch(url, { signal: watch.signal });
    if (!response.ok || !response.body) throw new Error(`the server answers ${response.status}`);
    const totalBytes = Number(response.headers.get("content-length") ?? NaN) || undefined;
    const file = url.split("/").at(-1) ?? url;
    const pieces: Uint8Array[] = [];
    let receivedBytes = 0;
    watch.within(stallTimeoutMs, "no more bytes");
    for await (const piece of response.body) {
      watch.within(stallTimeoutMs, "no more bytes");
      pieces.push(piece);
      receivedBytes += piece.length;
      if (receivedBytes > maxBytes) throw new Error(`more than ${maxBytes} bytes`);
      onProgress?.({ file, receivedBytes, totalBytes });
    }
    return new Uint8Array(Buffer.concat(pieces, receivedBytes));
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const problem = watch.problem ?? explanations[errorCode(cause) ?? ""] ?? errorLine(cause);
    throw new Error(`${url}: ${problem}`, { cause: error });
  } finally {
    watch.stop();
  }
}

/** Aborts what does not happen in time, and remembers what that was. */
class Watch {
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  problem: string | undefined;

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  within(milliseconds: number, problem: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.problem = `${problem} for ${milliseconds / 1000} s`;
      this.#abort.abort();
    }, milliseconds);
  }

  /** Ends the watch and closes a connection that is still open. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }
}
