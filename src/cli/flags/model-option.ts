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
 * Reads `name=value` into options that were read before: numbers, true and false, lists of numbers with commas between
 * them, or words. What the options may be, the network's architecture says.
 */
export function modelOptionFlag(text: string, before: GivenModelOptions = {}): GivenModelOptions {
  const [, name, value] = /^\s*(\w+)\s*=\s*(.+?)\s*$/s.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It must be the name of an option and its value: depth=6");
  const source = FOLLOWS.get(name);
  if (source !== undefined) throw new InvalidArgumentError(`${name} follows from ${source}`);
  return { ...before, [name]: read(value) };
}

function read(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  // One number is a list to an option that is one, where a comma follows it.
  const parts = text.split(",").map((part) => part.trim());
  const numbers = parts.filter((part) => part !== "").map(Number);
  if (numbers.length === 0 || numbers.some(Number.isNaN)) return text;
  return parts.length > 1 ? numbers : numbers[0];
}
