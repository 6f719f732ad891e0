import * as z from "zod/mini";

/** A number that holds to a requirement; the message names the requirement and the value. */
function numberRule(requirement: string, holds: (value: number) => boolean): z.ZodMiniType<number, number> {
  return z.custom<number>((value) => typeof value === "number" && holds(value), {
    error: ({ input }) => `must be ${requirement}, got ${show(input)}`,
  });
}

export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): z.ZodMiniType<number, number> {
  const limits = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return numberRule(`a whole number ${limits}`, (x) => Number.isSafeInteger(x) && x >= least && x <= most);
}

/** least <= x <= most */
export function numberWithin(least: number, most: number): z.ZodMiniType<number, number> {
  return numberRule(`a number from ${least} to ${most}`, (x) => x >= least && x <= most);
}

/** 0 <= x < 1 */
export function fraction(): z.ZodMiniType<number, number> {
  return numberRule("a number of at least 0 and below 1", (x) => x >= 0 && x < 1);
}

export function positiveNumber(): z.ZodMiniType<number, number> {
  return numberRule("a number above 0", (x) => x > 0 && Number.isFinite(x));
}

export function oneOf<const Names extends readonly [string, ...string[]]>(names: Names): z.ZodMiniType<Names[number]> {
  return z.enum(names, { error: ({ input }) => `must be one of ${names.join(", ")}, got ${show(input)}` });
}

export function flag(): z.ZodMiniType<boolean, boolean> {
  return z.boolean({ error: ({ input }) => `must be true or false, got ${show(input)}` });
}

/** What holds where a setting is left away. */
export function withDefault<Rule extends z.ZodMiniType>(rule: Rule, value: z.output<Rule>): z.ZodMiniDefault<Rule> {
  // oxlint-disable-next-line no-underscore-dangle -- zod's name for it
  return z._default(rule, value as never);
}

/** zod/mini, a third of zod, has no words for faults unless it is given some. */
const inWords = { error: z.locales.en().localeError };

/**
 * Checks a value from outside.
 *
 * @param label what the value is, for the message: `config.json`
 * @throws Error of one line with the first fault: `config.json: training.batchSize must be ..., got 0`
 */
export function check<Output>(schema: z.core.$ZodType<Output>, value: unknown, label: string): Output {
  const result = z.safeParse(schema, value, inWords);
  if (result.success) return result.data;
  throw new Error(`${label}: ${firstFault(result.error)}`);
}

/** The first fault of a value that zod refused: where it is and what is wrong, on one line. */
export function firstFault(error: z.core.$ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return "not valid";
  if (issue.code === "unrecognized_keys") {
    return `unknown setting ${issue.keys.map((key) => [...issue.path, key].join(".")).join(", ")}`;
  }
  return [issue.path.join("."), issue.message]
    .filter((part) => part !== "")
    .join(" ")
    .replaceAll("\n", " ");
}

function show(value: unknown): string {
  return value === undefined
    ? "nothing"
    : typeof value === "number"
      ? String(value)
      : (JSON.stringify(value) ?? typeof value).slice(0, 80);
}
