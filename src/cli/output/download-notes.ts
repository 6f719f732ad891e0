import { formatBytes } from "./format.ts";

/** What downloads tell of how far they are. */
interface Progress {
  readonly file: string;
  readonly totalBytes: number | undefined;
}

/** Says once for each file that it is being downloaded. */
export function downloadNotes(say: (line: string) => void): (progress: Progress) => void {
  let last = "";
  return ({ file, totalBytes }) => {
    if (file === last) return;
    last = file;
    const size = totalBytes === undefined ? "" : ` (${formatBytes(totalBytes)})`;
    say(`Downloading ${file}${size} ...`);
  };
}
