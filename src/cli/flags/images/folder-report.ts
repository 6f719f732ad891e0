import type { ImageFolder } from "../../../data/image-folder/image-folder.node.ts";
import { formatCount } from "../../output/format.ts";

/** Classes, and files of a kind, that are named one by one. */
const NAMED_CLASSES = 20;
const NAMED_FILES = 3;

/** What was found in a directory of images, one line each: how many, which classes, what was left out and why. */
export function folderReport(folder: ImageFolder): string[] {
  const { name, length, survey, leftOut, noClasses } = folder;
  const { smallest, largest } = survey;
  const sizes = [smallest, largest].map(({ width, height }) => `${width} x ${height}`);
  const range = sizes[0] === sizes[1] ? sizes[0] : sizes.join(" to ");
  return [
    `${name}: ${formatCount(length)} ${length === 1 ? "image" : "images"} of ${range} pixels`,
    ...classLines(folder),
    ...(noClasses === undefined ? [] : [`${name}: no classes, since ${noClasses}`]),
    ...(leftOut.length === 0 ? [] : [`${name}: left out ${groupsOf(leftOut).join("; ")}`]),
  ];
}

function classLines({ name, labels, classNames }: ImageFolder): string[] {
  if (labels === undefined || classNames === undefined) return [];
  const counts = classNames.map(() => 0);
  for (const label of labels) counts[label]++;
  const named = classNames.slice(0, NAMED_CLASSES).map((title, label) => `${title} (${formatCount(counts[label])})`);
  const more = classNames.length > NAMED_CLASSES ? [`and ${classNames.length - NAMED_CLASSES} more`] : [];
  return [`${name}: ${classNames.length} classes: ${[...named, ...more].join(", ")}`];
}

/** "a/.x, b/.y and 3 more (hidden)" for each reason. */
function groupsOf(leftOut: ImageFolder["leftOut"]): string[] {
  const groups = new Map<string, string[]>();
  for (const { name, reason } of leftOut) groups.set(reason, [...(groups.get(reason) ?? []), name]);
  return [...groups].map(([reason, names]) => {
    const more = names.length > NAMED_FILES ? ` and ${formatCount(names.length - NAMED_FILES)} more` : "";
    return `${names.slice(0, NAMED_FILES).join(", ")}${more} (${reason})`;
  });
}
