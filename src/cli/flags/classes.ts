/** Columns of a grid beyond which classes get none of their own. */
const MOST_COLUMNS = 16;

/**
 * The classes that a flag names, by their numbers: names (in any case) or numbers with commas between them, or `all`.
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

function labelOf(text: string, names: readonly string[]): number | undefined {
  const wanted = text.trim().toLowerCase();
  const label = names.findIndex((name) => name.toLowerCase() === wanted);
  if (label !== -1) return label;
  return /^\d+$/.test(wanted) && Number(wanted) < names.length ? Number(wanted) : undefined;
}

function quoted(name: string): string {
  return /^[\w./-]+$/.test(name) ? name : JSON.stringify(name);
}

/** The name that takes the fewest edits to get to, if at most about a third of its letters, or one that contains the text. */
function nearestName(text: string, names: readonly string[]): string | undefined {
  const wanted = text.toLowerCase();
  const scored = names.map((name) => ({ name, edits: distance(wanted, name.toLowerCase()) }));
  const [best] = scored.toSorted((a, b) => a.edits - b.edits);
  if (best !== undefined && best.edits <= Math.round(best.name.length / 3)) return best.name;
  return names.find((name) => wanted.length > 1 && name.toLowerCase().includes(wanted));
}

/** Letters to insert, remove or change (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
  }
  return row[b.length];
}
