/**
 * Energy distance of two sets of points in the plane (Szekely & Rizzo 2013): 2 E|a - b| - E|a - a'| - E|b - b'|, which is 0
 * only for two alike distributions.
 *
 * @param a points row by row: x, y, x, y, ...
 */
export function energyDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return 2 * meanDistance(a, b) - meanDistance(a, a) - meanDistance(b, b);
}

function meanDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 2) {
    for (let k = 0; k < b.length; k += 2) sum += Math.hypot(a[i] - b[k], a[i + 1] - b[k + 1]);
  }
  return sum / ((a.length * b.length) / 4);
}
