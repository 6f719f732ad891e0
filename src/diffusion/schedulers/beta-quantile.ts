/** Gamma's logarithm by Lanczos's approximation (g = 7, 9 terms), for x > 0. */
const LANCZOS: readonly number[] = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

function logGamma(x: number): number {
  // Gamma(x) = Gamma(x + 1) / x
  const sum = LANCZOS.reduce((total, term, i) => (i === 0 ? term : total + term / (x + i)));
  const at = x + 7.5;
  return Math.log(Math.sqrt(2 * Math.PI) * sum) + (x + 0.5) * Math.log(at) - at - Math.log(x);
}

/** The beta distribution's share below x, by Lentz's evaluation of its continued fraction (DLMF 8.17.22). */
function betaDistribution(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - betaDistribution(1 - x, b, a);
  const front = Math.exp(
    a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b) - Math.log(a),
  );
  let [C, D, fraction] = [1, 1 / (1 - ((a + b) * x) / (a + 1)), 0];
  fraction = D;
  for (let m = 1; m < 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    for (const numerator of [even, odd]) {
      D = 1 / (1 + numerator * D);
      C = 1 + numerator / C;
      fraction *= C * D;
    }
    if (Math.abs(C * D - 1) < 1e-16) break;
  }
  return front * fraction;
}

/** The x below which a share of the beta distribution lies, 0 to 1: `scipy.stats.beta.ppf`. */
export function betaQuantile(share: number, a: number, b: number): number {
  if (share <= 0 || share >= 1) return share <= 0 ? 0 : 1;
  // Near 1 from the other side, where x has more digits.
  if (share > 0.5) return 1 - betaQuantile(1 - share, b, a);
  let [low, high] = [0, 1];
  for (let i = 0; i < 200 && high - low > 1e-16 * high; i++) {
    const middle = (low + high) / 2;
    if (betaDistribution(middle, a, b) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
