import { transform } from "sucrase";

/** What a program in a page may import from. */
const LIBRARY = "unnoise";

const IMPORT = /^import\s*([^"';]*?)\s*(?:from\s*)?(["'])(.*?)\2;?/gm;

/**
 * TypeScript of a cell as JavaScript for `eval`, line by line: types are gone, and what is imported comes from a function
 * `$import`.
 *
 * @throws Error of one line, with the line's number, if it cannot be parsed
 */
export function toScript(code: string): string {
  let script: string;
  try {
    ({ code: script } = transform(code, {
      transforms: ["typescript"],
      disableESTransforms: true,
      keepUnusedImports: true,
    }));
  } catch (error) {
    throw syntaxError(error);
  }
  return script.replaceAll(IMPORT, (whole, what: string, _, from: string) => {
    const names = /^\{([^}]*)\}$/.exec(what)?.[1];
    if (names === undefined || from !== LIBRARY) {
      throw new Error(
        `a cell imports names, and from "${LIBRARY}" alone: import { Unet } from "${LIBRARY}", got ${whole}`,
      );
    }
    return `const {${names.replaceAll(/(\w+)\s+as\s+(\w+)/g, "$1: $2")}} = $import("${from}");`;
  });
}

/** sucrase ends its messages with (line:column). */
function syntaxError(error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  const [, text = message, line] = /^(?:Error transforming [^:]*: )?(.*) \((\d+):\d+\)$/.exec(message) ?? [];
  return new SyntaxError(line === undefined ? text : `line ${line}: ${text}`);
}

/** The cell's name in stacks. */
const nameOf = (cell: number): string => `cell-${cell}.ts`;

/** Says in one line what went wrong in a cell, and in which line of it, where that is known. */
export function faultOf(error: unknown, cell: number): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const [message] = error.message.split("\n");
  if (error instanceof SyntaxError && message.startsWith("line ")) return message;
  const line = error.stack
    ?.split(`${nameOf(cell)}:`)
    .at(1)
    ?.split(":")[0];
  const what = error.name === "Error" ? message : `${error.name}: ${message}`;
  return line === undefined ? what : `line ${line}: ${what}`;
}

/** Evaluates code in a scope. */
type Evaluate = (source: string) => unknown;

declare global {
  // What the source of a cell finds.
  var $import: (from: string) => Readonly<Record<string, unknown>>;
  var $keep: (evaluate: Evaluate) => void;
}

/**
 * Cells as one program: each runs within the scope of the one before it, so it sees that one's constants. Running a cell
 * again forgets the scopes of those after it.
 */
export class Program {
  readonly #scopes: Evaluate[] = [];

  constructor(library: Readonly<Record<string, unknown>>) {
    globalThis.$import = () => library;
  }

  /** @param cell from 1, at most one more than those that have run */
  async run(cell: number, code: string): Promise<void> {
    const script = toScript(code);
    this.#scopes.length = cell - 1;
    const evaluate = this.#scopes.at(-1) ?? evaluateGlobally;
    globalThis.$keep = (scope) => void (this.#scopes[cell - 1] = scope);
    // On the cell's first line, so that lines count from it. Its scope is kept from within it.
    const source = `(async () => { "use strict"; ${script}\n; $keep(($source) => eval($source)); })()`;
    await evaluate(`${source}\n//# sourceURL=${nameOf(cell)}`);
  }
}

// oxlint-disable-next-line no-eval -- running what the reader writes is what cells are for, in a worker of their own
const evaluateGlobally: Evaluate = (source) => (0, eval)(source) as unknown;
