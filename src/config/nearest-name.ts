/**
 * The name that was probably meant: the same but for case and underscores, or the one that takes the fewest edits to get
 * to, if at most about a third of its letters, or else one that contains the text.
 */
export function nearestName(text: string, names: readonly string[]): string | undefined {
  const wanted = plain(text);
  const same = names.find((name) => plain(name) === wanted);
  if (same !== undefined) return same;
  const scored = names.map((name) => ({ name, edits: distance(wanted, plain(name)) }));
  const [best] = scored.toSorted((a, b) => a.edits - b.edits);
  if (best !== undefined && best.edits <= Math.round(best.name.length / 3)) return best.name;
  return names.find((name) => wanted.length > 1 && plain(name).includes(wanted));
}

/** dim_mults, dimMults and dim-mults are one name. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, "");
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
