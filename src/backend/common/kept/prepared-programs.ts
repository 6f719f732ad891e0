import type { ByteCache } from "../../backend.ts";
import { seal, unseal } from "./sealed.ts";

/** The file that says what programs lie beside it. */
export const INDEX = "index.json";

/** Programs of one compiler, by what their files are called. */
export interface ProgramIndex {
  readonly compiler: string;
  readonly programs: readonly string[];
}

/** The beginning of a program's key, which tells any two of a site apart. */
export function fileNameOf(key: string): string {
  return `${key.slice(0, 32)}.program`;
}

/** A program as a file, compressed, as hosts do not compress what they do not know. */
export async function packProgram(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return seal(await through(bytes, new CompressionStream("gzip")));
}

/** What was packed; nothing if the file is another one. */
export async function unpackProgram(file: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const packed = await unseal(file);
  return packed && through(packed, new DecompressionStream("gzip"));
}

async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: GenericTransformStream,
): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Response(new Blob([bytes]).stream().pipeThrough(stream));
  return new Uint8Array(await whole.arrayBuffer());
}

/** Programs that a site was built with, from the folder that `compileAhead` made. What cannot be had is not there. */
export class PreparedPrograms implements Pick<ByteCache, "read"> {
  readonly #folder: string;
  readonly #known: Promise<ReadonlySet<string>>;

  /**
   * @param folder its address, which ends in /
   * @param compiler programs of another one are not taken
   */
  constructor(folder: string, compiler: string) {
    this.#folder = folder;
    this.#known = fetchIndex(folder, compiler).catch(() => new Set<string>());
  }

  async read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const name = fileNameOf(key);
    if (!(await this.#known).has(name)) return undefined;
    try {
      const response = await fetch(`${this.#folder}${name}`);
      return response.ok ? await unpackProgram(new Uint8Array(await response.arrayBuffer())) : undefined;
    } catch {
      return undefined;
    }
  }
}

async function fetchIndex(folder: string, compiler: string): Promise<ReadonlySet<string>> {
  const { programs, ...index } = (await (await fetch(`${folder}${INDEX}`)).json()) as Partial<ProgramIndex>;
  return new Set(index.compiler === compiler && Array.isArray(programs) ? programs : []);
}
