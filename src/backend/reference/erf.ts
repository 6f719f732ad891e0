const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/**
 * The error function to float64 accuracy, by the series erf(x) = 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (2n+1)!!
 * (Abramowitz & Stegun 7.1.6), whose terms are all of one sign, so that nothing cancels.
 */
export function erf(x: number): number {
  // 1 - erf(6) is below half a unit in the last place of 1.
  if (Math.abs(x) >= 6) return Math.sign(x);
  const doubledSquare = 2 * x * x;
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= doubledSquare / (2 * n + 1);
    sum += term;
  }
  return TWO_OVER_SQRT_PI * Math.exp(-x * x) * sum;
}
