import { nearestName } from "../../../config/nearest-name.ts";

/** Columns of a grid beyond which classes get none of their own. */
const MOST_COLUMNS = 16;

/**
 * The classes that a flag names, by their numbers: names (in any case that is not another name) or numbers with commas between them, or `all`.
 *
 * @param names what the model's classes are called, from 0
 * @throws Error listing the classes if there is no such class
 */
export function classesNamed(text: string, names: readonly string[]): number[] {
  if (text.trim().toLowerCase() === "all") return names.map((_, label) => label);
  // A name may have commas of its own.
  const whole = labelOf(text, names);
  return whole === undefined ? text.split(",").map((part) => labelNamed(part, names)) : [whole];
}

/** A class for each image: those given in turn, 0, 1, ..., 0, 1, ... */
export function classesInTurn(classes: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, i) => classes[i % classes.length]);
}

/** Columns of a grid of classes in turn, so that each has a column of its own; undefined where there are too many. */
export function columnsOfClasses(classes: readonly number[], count: number): number | undefined {
  return classes.length > 1 && classes.length <= Math.min(count, MOST_COLUMNS) ? classes.length : undefined;
}

/** All classes of a model, from 0. */
export function allClasses(numClasses: number): number[] {
  return Array.from({ length: numClasses }, (_, label) => label);
}

function labelNamed(text: string, names: readonly string[]): number {
  const label = labelOf(text, names);
  if (label !== undefined) return label;
  const nearest = nearestName(text.trim(), names);
  const hint = nearest === undefined ? "." : `, did you mean ${quoted(nearest)}?`;
  throw new Error(`no class ${JSON.stringify(text.trim())}${hint} The classes are ${names.map(quoted).join(", ")}`);
}

/** Names are compared in Unicode's normal form, and by their case only where that tells classes apart. */
function labelOf(text: string, names: readonly string[]): number | undefined {
  const wanted = text.trim().normalize("NFC");
  const normal = names.map((name) => name.normalize("NFC"));
  const exact = normal.indexOf(wanted);
  if (exact !== -1) return exact;
  const alike = normal.flatMap((name, label) => (name.toLowerCase() === wanted.toLowerCase() ? [label] : []));
  if (alike.length > 1) {
    const choices = alike.map((label) => quoted(names[label])).join(" or ");
    throw new Error(`class ${JSON.stringify(wanted)} could be ${choices}: write it as one of them`);
  }
  if (alike.length === 1) return alike[0];
  return /^\d+$/.test(wanted) && Number(wanted) < names.length ? Number(wanted) : undefined;
}

function quoted(name: string): string {
  return /^[\p{L}\p{M}\p{N}_./-]+$/u.test(name) ? name : JSON.stringify(name);
}
