/** Places and weights of Gauss and Legendre's rule on [-1, 1], which integrates polynomials of degree 31 exactly. */
const RULE = gaussLegendre(16);

/**
 * The integral from `start` to `end` of the polynomial that is 1 at `nodes[j]` and 0 at the other nodes, times a weight,
 * for each j. So a function known at the nodes is integrated by the sum of its values times these numbers.
 */
export function lagrangeIntegrals(
  nodes: readonly number[],
  start: number,
  end: number,
  weight: (place: number) => number = () => 1,
): number[] {
  const half = (end - start) / 2;
  return nodes.map((node, j) => {
    const others = nodes.filter((_, k) => k !== j);
    return RULE.reduce((total, { at, share }) => {
      const place = start + half * (1 + at);
      const polynomial = others.reduce((product, other) => (product * (place - other)) / (node - other), 1);
      return total + half * share * polynomial * weight(place);
    }, 0);
  });
}

/** Roots of Legendre's polynomial by Newton's method. */
function gaussLegendre(count: number): { readonly at: number; readonly share: number }[] {
  return Array.from({ length: count }, (_, i) => {
    let at = Math.cos((Math.PI * (i + 0.75)) / (count + 0.5));
    for (let k = 0; k < 20; k++) {
      const { value, slope } = legendre(count, at);
      at -= value / slope;
    }
    const { slope } = legendre(count, at);
    return { at, share: 2 / ((1 - at * at) * slope * slope) };
  });
}

function legendre(degree: number, at: number): { readonly value: number; readonly slope: number } {
  let [before, value] = [1, at];
  for (let n = 2; n <= degree; n++) [before, value] = [value, ((2 * n - 1) * at * value - (n - 1) * before) / n];
  return { value, slope: (degree * (at * value - before)) / (at * at - 1) };
}
