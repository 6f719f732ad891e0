import { expect, test } from "vitest";
import { formatPythonJson, parsePythonJson } from "./python-json.ts";

test("JSON of Python may hold numbers without end, and strings that speak of them", () => {
  const text = '{"a": -Infinity, "b": [Infinity, 1.5], "c": "to -Infinity \\" Infinity", "Infinity": null}';
  const value = { a: -Infinity, b: [Infinity, 1.5], c: 'to -Infinity " Infinity', Infinity: null };
  expect(parsePythonJson(text)).toEqual(value);
  expect(parsePythonJson(formatPythonJson(value))).toEqual(value);
});

test("is written with its keys in order, as json.dumps does", () => {
  const value = { b: [1, { d: true, c: "ä\n" }], a: -Infinity, _x: [], B: {}, left: undefined };
  expect(formatPythonJson(value)).toBe(
    '{\n  "B": {},\n  "_x": [],\n  "a": -Infinity,\n  "b": [\n    1,\n    {\n      "c": "ä\\n",\n      "d": true\n    }\n  ]\n}',
  );
});

test.each(["", "{", "NaN", "Infinityx", '{"a": +Infinity}'])("refuses %o", (text) => {
  expect(() => parsePythonJson(text)).toThrow(SyntaxError);
});
