import { readFileSync } from "node:fs";
import { Visitor, parseSync } from "vite";
import { expect, test } from "vitest";

/** What an entry exports by name; types are marked as such. */
function exportedNames(entry: string): string[] {
  const source = readFileSync(new URL(`../src/${entry}`, import.meta.url), "utf8");
  const names: string[] = [];
  new Visitor({
    ExportNamedDeclaration({ specifiers, exportKind }) {
      for (const { exported } of specifiers) {
        const name = exported.type === "Identifier" ? exported.name : exported.value;
        names.push(exportKind === "type" ? `type ${name}` : name);
      }
    },
  }).visit(parseSync(entry, source).program);
  return names.toSorted();
}

// A change of the public API is to show in a diff: `npx vitest run test/public-api.test.ts -u` writes the lists anew.
test.each(["index.ts", "index.node.ts"])("the names that %s exports are those of its list", async (entry) => {
  const list = `${exportedNames(entry).join("\n")}\n`;
  await expect(list).toMatchFileSnapshot(`fixtures/public-api/${entry.replace(".ts", ".txt")}`);
});
