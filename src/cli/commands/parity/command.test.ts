import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, test } from "vitest";
import { Workspace, expectOneLine } from "../../../../test/support/workspace.ts";
import type { WrongLine } from "../../../../test/support/workspace.ts";

const parityFixtures = fileURLToPath(new URL("../../../../test/fixtures/parity", import.meta.url));
const workspace = new Workspace("parity");

const wrong: WrongLine[] = [
  ["parity .", 1, /no case there/],
  [
    `parity ${join(parityFixtures, "nowhere")} --device reference`,
    1,
    /nowhere: cannot list: no such file or directory\n$/,
  ],
];

describe("unnoise parity", { timeout: 60_000 }, () => {
  test.for(wrong)("answers `unnoise %s` with exit code %i and one line", async (line) => {
    await expectOneLine(workspace, line);
  });
});
