import { pieces, reason } from "./pieces.ts";
import { checkedParts } from "./source.ts";
import type { Source, SourceFile } from "./source.ts";

/** How much of a file is there. */
export interface PretrainedProgress {
  /** Its path in the model's folder. */
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
}

export interface UrlSourceOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly onProgress?: ((progress: PretrainedProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The files below an address. A file is asked for once and read while it comes in. */
export class UrlSource implements Source {
  readonly name: string;
  readonly #options: UrlSourceOptions;

  /** @param base of the folder, with or without a slash at its end */
  constructor(base: string, options: UrlSourceOptions = {}) {
    this.name = base.endsWith("/") ? base : `${base}/`;
    this.#options = options;
  }

  async withFile<T>(path: string, use: (file: SourceFile) => Promise<T>): Promise<T | undefined> {
    const { headers, onProgress, signal } = this.#options;
    const name = this.name + checkedParts(this.name, path).map(encodeURIComponent).join("/");
    const ask = async (from: number): Promise<Response> => {
      const asked = new Headers(headers);
      if (from > 0) asked.set("range", `bytes=${from}-`);
      return fetch(name, { headers: asked, signal: signal ?? null });
    };
    const first = await ask(0).catch((error: unknown) => {
      signal?.throwIfAborted();
      throw new Error(`${name}: cannot read: ${reason(error)}`, { cause: error });
    });
    if (isMissing(first, path)) {
      await first.body?.cancel();
      return undefined;
    }
    if (!first.ok) throw new Error(`${name}: cannot read: the server answers ${first.status}`);
    const bytes = lengthOf(first);
    if (bytes === undefined) return use(wholeFile(name, new Uint8Array(await first.arrayBuffer())));
    const note = (receivedBytes: number): void => onProgress?.({ file: path, receivedBytes, totalBytes: bytes });
    const stream = pieces(first, ask, { from: 0, bytes, name, signal });
    try {
      return await use({ name, bytes, read: inOrder(stream, name, note) });
    } finally {
      await stream.return(undefined);
    }
  }
}

/** Servers of single-page applications answer with their page where there is no file. */
function isMissing({ status, headers }: Response, path: string): boolean {
  if (status === 404 || status === 410) return true;
  return /^text\/html\b/i.test(headers.get("content-type") ?? "") && !path.endsWith(".html");
}

/** The file's length, where the header tells it: of what is compressed on the way it tells another. */
function lengthOf({ headers }: Response): number | undefined {
  if ((headers.get("content-encoding") ?? "identity") !== "identity") return undefined;
  const length = headers.get("content-length");
  const bytes = Number(length);
  return length !== null && Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : undefined;
}

function wholeFile(name: string, content: Uint8Array<ArrayBuffer>): SourceFile {
  return { name, bytes: content.length, read: (begin, end) => Promise.resolve(content.slice(begin, end)) };
}

/** Reads ascending ranges from a stream. */
function inOrder(
  stream: AsyncGenerator<Uint8Array<ArrayBuffer>>,
  name: string,
  note: (received: number) => void,
): SourceFile["read"] {
  /** What has come in and was not asked for yet, and where it begins. */
  let rest = new Uint8Array(0);
  let at = 0;
  let received = 0;
  return async (begin, end) => {
    if (begin < at) throw new Error(`internal: ${name} is read backwards`);
    const content = new Uint8Array(end - begin);
    while (at < end) {
      if (rest.length === 0) {
        const next: IteratorResult<Uint8Array<ArrayBuffer>, unknown> = await stream.next();
        if (next.done === true) throw new Error(`${name}: ends at byte ${at}, before byte ${end}`);
        rest = next.value;
        received += rest.length;
        note(received);
      }
      const passed = Math.min(rest.length, Math.max(0, begin - at));
      const taken = Math.min(rest.length - passed, end - at - passed);
      if (taken > 0) content.set(rest.subarray(passed, passed + taken), at + passed - begin);
      at += passed + Math.max(0, taken);
      rest = rest.subarray(passed + Math.max(0, taken));
    }
    return content;
  };
}
