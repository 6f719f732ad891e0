import { InvalidArgumentError } from "commander";

/** Options of a network by name. */
export type GivenModelOptions = Readonly<Record<string, unknown>>;

/** What these follow from instead. */
const FOLLOWS: ReadonlyMap<string, string> = new Map([
  ["channels", "the images"],
  ["outDim", "--variance-type"],
  ["seed", "--seed"],
]);

/**
 * Reads `name=value` into options that were read before: numbers, true, false and null, words, or lists of numbers or
 * words with commas between them. What the options may be, the network's architecture says.
 */
export function modelOptionFlag(text: string, before: GivenModelOptions = {}): GivenModelOptions {
  const [, name, value] = /^\s*(\w+)\s*=\s*(.+?)\s*$/s.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It must be the name of an option and its value: depth=6");
  const source = FOLLOWS.get(name);
  if (source !== undefined) throw new InvalidArgumentError(`${name} follows from ${source}`);
  return { ...before, [name]: read(value) };
}

const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["true", true],
  ["false", false],
  ["null", null],
]);

function read(text: string): unknown {
  if (words.has(text)) return words.get(text);
  // One entry is a list to an option that is one, where a comma follows it.
  const isList = text.includes(",");
  const parts = text.split(",").map((part) => part.trim());
  const entries = parts.filter((part) => part !== "");
  const numbers = entries.map(Number);
  if (entries.length === 0) return text;
  if (numbers.some(Number.isNaN)) return isList ? entries : text;
  return isList ? numbers : numbers[0];
}
