import { InvalidArgumentError } from "commander";

/** Reads names with commas between them: train,sampling */
export function namesFlag<const Name extends string>(allowed: readonly Name[]): (text: string) => Name[] {
  return (text) => text.split(",").map((part) => nameOf(part.trim(), allowed));
}

function nameOf<Name extends string>(text: string, allowed: readonly Name[]): Name {
  const name = allowed.find((candidate) => candidate === text);
  if (name !== undefined) return name;
  throw new InvalidArgumentError(`It must be made of ${allowed.join(", ")}, got ${JSON.stringify(text)}`);
}
