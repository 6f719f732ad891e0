// Polynomials for what devices have no exact instruction for, fitted by weighted least squares for float32 over the range
// that each names; coefficients from the constant one up, for Horner's scheme.

/** Horner's scheme, by whatever adds and multiplies. */
export function horner<Value>(
  coefficients: readonly number[],
  constant: (value: number) => Value,
  step: (sum: Value, coefficient: Value) => Value,
): Value {
  return coefficients
    .slice(0, -1)
    .reduceRight((sum, c) => step(sum, constant(c)), constant(coefficients[coefficients.length - 1]));
}

/** log 2 in two parts, the first of 9 bits: times a whole number it is exact. */
export const LN2_HIGH = 0.693359375;
export const LN2_LOW = Math.LN2 - LN2_HIGH;

/** e^r = 1 + r + r^2 EXP(r) for |r| <= log(2) / 2 */
export const EXP = [
  0.49999993446884833, 0.16666520622769, 0.041668388228555855, 0.008368717711166058, 0.0013814589876395594,
];

/** 2^f = 1 + f EXP2_TAIL(f) for |f| <= 1/2: Taylor's series. */
export const EXP2_TAIL = [1, 2, 6, 24, 120, 720].map((factorial, i) => Math.LN2 ** (i + 1) / factorial);

/** log(1 + f) = f - f^2 / 2 + f^3 LOG(f) for 1 + f from sqrt(1/2) to sqrt(2) */
export const LOG = [
  0.33333312598734993, -0.2500000961529075, 0.20002118966638371, -0.16667995167294333, 0.14219546361228672,
  -0.12405597879173183, 0.11888211807542903, -0.11675615303249182, 0.06746489795860623,
];

/** tanh(x) = x + x^3 TANH(x^2) for |x| < 0.625 */
export const TANH = [
  -0.3333328391839178, 0.13331491131354664, -0.053743486718933545, 0.02065055396731878, -0.005717010981842251,
];

/** erf(x) = x ERF_NEAR(x^2) for |x| < 1 */
export const ERF_NEAR = [
  1.1283791657266318, -0.37612625823688334, 0.11283585142428401, -0.02685381167650265, 0.005188327194058842,
  -0.000801018930622184, 7.853847094129173e-5,
];

/** erf(x) = 1 - e^-ERF_FAR(x) for x from 1 to 4 */
export const ERF_FAR = [
  -0.0001880359251318731, 1.129578408497122, 0.6332199166329234, 0.10841855904182394, -0.025208248987530733,
  0.0042045602065831494, -0.0004413362489625145, 2.1686854129990567e-5,
];

/** sin(r) = r + r^3 SINE(r^2) for |r| <= pi / 4 */
export const SINE = [-0.16666654872646364, 0.008332173504146567, -0.00019516651557622032];

/** cos(r) = 1 - r^2 / 2 + r^4 COSINE(r^2) for |r| <= pi / 4 */
export const COSINE = [0.041666646745975026, -0.0013887361375322057, 2.4437722592726804e-5];

/** pi / 2 in three parts of few bits (Cody & Waite 1980). */
export const HALF_PI = [1.5703125, 4.837512969970703e-4, 7.54978995489188e-8];
