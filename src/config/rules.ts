import * as z from "zod/mini";
import { nearestName } from "./nearest-name.ts";

/** A number that holds to a requirement; the message names the requirement and the value. */
function numberRule(requirement: string, holds: (value: number) => boolean): z.ZodMiniType<number, number> {
  return z.custom<number>((value) => typeof value === "number" && holds(value), {
    error: ({ input }) => `must be ${requirement}, got ${shown(input)}`,
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

export function oneOf<const Names extends readonly [string, ...string[]]>(
  names: Names,
): z.ZodMiniType<Names[number], Names[number]> {
  return z.enum(names, { error: ({ input }) => `must be one of ${names.join(", ")}, got ${shown(input)}` });
}

export function flag(): z.ZodMiniType<boolean, boolean> {
  return z.boolean({ error: ({ input }) => `must be true or false, got ${shown(input)}` });
}

/** A list whose entries all hold to a rule. */
export function listOf<Value>(
  rule: z.ZodMiniType<Value, Value>,
  least = 0,
  most = Infinity,
): z.ZodMiniType<readonly Value[], readonly Value[]> {
  const limits = most < Infinity ? ` of ${least} to ${most} entries` : least > 0 ? ` of at least ${least}` : "";
  const requirement = `must be a list${limits}`;
  const error = ({ input }: { readonly input?: unknown }): string => `${requirement}, got ${shown(input)}`;
  const isInLimits = (list: readonly Value[]): boolean => list.length >= least && list.length <= most;
  return z.readonly(z.array(rule, { error })).check(z.refine(isInLimits, { error }));
}

/**
 * Options or settings by name, and no others: of one that does not exist the fault says which was probably meant, in
 * whatever case it is written.
 */
export function options<const Rules extends z.core.$ZodShape>(
  rules: Rules,
): z.ZodMiniObject<{ -readonly [Name in keyof Rules]: Rules[Name] }, z.core.$strict> {
  return z.strictObject(rules, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? unknownNames(issue.keys, Object.keys(rules))
        : `must be an object, got ${shown(issue.input)}`,
  });
}

/** @throws one line, if something has other names than these, with the one that was probably meant */
export function checkNames(label: string, given: object, names: readonly string[]): void {
  const unknown = Object.keys(given).filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`${label}: ${unknownNames(unknown, names)}`);
}

/** What `typeof` says of a value, or that it is a list, an `NdArray`, or anything that is checked elsewhere. */
export type TypeName = "number" | "boolean" | "string" | "function" | "object" | "list" | "array" | "numbers" | "any";

/**
 * What plain JavaScript may get wrong in options that are checked no further, or whose meaning is checked elsewhere.
 *
 * @param types of all options; one that is undefined is left out
 * @throws one line, if one has another name, with the one that was probably meant, or another type
 */
export function checkOptions(label: string, given: object, types: Readonly<Record<string, TypeName>>): void {
  if (typeof given !== "object" || given === null)
    throw new Error(`${label}: options must be an object, got ${shown(given)}`);
  checkNames(label, given, Object.keys(types));
  for (const [name, value] of Object.entries(given) as [string, unknown][]) {
    const type = types[name];
    if (value === undefined || type === "any" || typesOf(value).includes(type)) continue;
    throw new Error(`${label}: ${name} must be ${needs[type]}, got ${shown(value)}`);
  }
}

const needs: Readonly<Record<TypeName, string>> = {
  number: "a number",
  boolean: "true or false",
  string: "a name",
  function: "a function",
  object: "an object",
  list: "a list of numbers",
  array: "an array as ndarray() makes it",
  numbers: "a list of numbers or an array",
  any: "given",
};

function typesOf(value: unknown): string[] {
  if (value === null) return [];
  if (typeof value !== "object") return [typeof value];
  const lists = "length" in value ? ["list", "numbers"] : [];
  return ["object", ...lists, ...("shape" in value ? ["array", "numbers"] : [])];
}

function unknownNames([first]: readonly string[], names: readonly string[]): string {
  const meant = nearestName(first, names);
  return `has no option ${first}${meant === undefined ? "" : `, did you mean ${meant}?`}`;
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
  // A name that does not exist says more than the one that is therefore missing.
  const issue = error.issues.find(({ code }) => code === "unrecognized_keys") ?? error.issues[0];
  if (issue === undefined) return "not valid";
  return [pathOf(issue.path), issue.message]
    .filter((part) => part !== "")
    .join(" ")
    .replaceAll("\n", " ");
}

/** training.adamBetas[1] */
function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}

/** A value in a message. */
export function shown(value: unknown): string {
  return value === undefined
    ? "nothing"
    : typeof value === "number"
      ? String(value)
      : (JSON.stringify(value) ?? typeof value).slice(0, 80);
}
