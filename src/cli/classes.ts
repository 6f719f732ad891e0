/** Classes of a grid that shows all of them in turn: 0, 1, ..., 0, 1, ...; undefined for a model without classes. */
export function classesInTurn(numClasses: number, count: number): number[] | undefined {
  return numClasses > 0 ? Array.from({ length: count }, (_, i) => i % numClasses) : undefined;
}

/** Columns of a grid of classes in turn, so that each has a column of its own; undefined where there are too many. */
export function columnsOfClasses(numClasses: number, count: number): number | undefined {
  return numClasses > 1 && numClasses <= Math.min(count, 16) ? numClasses : undefined;
}
