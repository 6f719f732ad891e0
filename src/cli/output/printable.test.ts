import { expect, test } from "vitest";
import { printable } from "./printable.ts";

test.each([
  ["a name of letters, Umläute, 日本語 and 🎈", "a name of letters, Umläute, 日本語 and 🎈"],
  ["red \u001b[31mname", "red \\u001b[31mname"],
  ["title \u001b]0;owned\u0007", "title \\u001b]0;owned\\u0007"],
  ["one byte CSI \u009b2J", "one byte CSI \\u009b2J"],
  ["two\nlines\r\n\tand a tab", "two\\nlines\\r\\n\\tand a tab"],
  ["back\b\b\b and delete \u007f", "back\\u0008\\u0008\\u0008 and delete \\u007f"],
  ["right to left \u202egnp.exe", "right to left \\u202egnp.exe"],
  ["a line separator\u2028", "a line separator\\u2028"],
])("%j is shown and not obeyed", (line, shown) => {
  expect(printable(line)).toBe(shown);
});

test("JSON stays JSON with the same meaning", () => {
  const value = { name: "c\u0085\u009b\u202e\n" };
  expect(JSON.parse(printable(JSON.stringify(value)))).toEqual(value);
});
