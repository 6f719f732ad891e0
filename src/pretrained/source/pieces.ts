/** Asks for a file from a byte on; with `version`, for the rest of that version of it. */
export type Ask = (from: number, version: string | undefined) => Promise<Response>;

export interface PiecesOptions {
  readonly from: number;
  /** The length of the whole file. */
  readonly bytes: number;
  /** Of the file, for messages. */
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds before each further attempt of those that one after another bring nothing. */
const PAUSES = [200, 1000, 3000];
/** Milliseconds without a byte after which a connection counts as lost. */
const STALL_MS = 20_000;

/**
 * The pieces of a file that a server sends, from a byte on. Where the connection breaks, the rest is asked for, as long as
 * attempts bring something. A server that does not know ranges sends all of it again, of which what is there is passed over.
 *
 * @param first the answer to the first question, which was asked from `from` on
 * @throws Error of one line if the file is not to be had, or is another by now; the reason of `signal`
 */
export async function* pieces(
  first: Response,
  ask: Ask,
  { from, bytes, name, signal }: PiecesOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const version = first.headers.get("etag") ?? undefined;
  let response: Response | undefined = first;
  let at = from;
  for (let failures = 0; ; failures++) {
    try {
      response ??= await ask(at, version);
      let skip = passedOver(response, at, bytes, name, version);
      for await (const piece of bodyOf(response)) {
        const fresh = piece.subarray(Math.min(skip, piece.length));
        skip -= piece.length - fresh.length;
        if (fresh.length === 0) continue;
        at += fresh.length;
        if (at > bytes) throw new Refusal(`${name}: the server sends more than the ${bytes} bytes that it announced`);
        failures = -1;
        yield fresh;
      }
      if (at === bytes) return;
      throw new Error(`it ends after ${at} of ${bytes} bytes`);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof Refusal) throw error;
      const pause = PAUSES[failures + 1];
      if (pause === undefined) throw new Error(`${name}: connection lost: ${reason(error)}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    response = undefined;
  }
}

/** What another attempt would not mend. */
class Refusal extends Error {}

/** How many bytes of an answer are known already. */
function passedOver(response: Response, at: number, bytes: number, name: string, version: string | undefined): number {
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  const now = response.headers.get("etag") ?? undefined;
  if (now !== version) throw new Refusal(`${name}: the server has another version of it by now`);
  if (response.status !== 206) return at;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  if (range?.[1] === String(at) && (range[2] === "*" || range[2] === String(bytes))) return 0;
  throw new Refusal(`${name}: asked for bytes from ${at} of ${bytes}, the server sends another range`);
}

/** The body piece by piece, given up when nothing more comes. */
async function* bodyOf(response: Response): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await within(STALL_MS, reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no more bytes for ${milliseconds / 1000} s`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a failure of `fetch` comes down to, on one line. */
export function reason(error: unknown): string {
  const { cause } = error as { readonly cause?: unknown };
  const told = cause instanceof Error ? cause : error;
  const message = told instanceof Error ? told.message || told.name : String(told);
  return message.split("\n", 1)[0] ?? "";
}
