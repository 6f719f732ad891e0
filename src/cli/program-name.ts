/** What to type before a command's name on this installation, for advice such as "unnoise sample". */
export function programName(): string {
  return import.meta.url.endsWith(".ts") ? "npm run unnoise --" : "npx unnoise";
}

/** A word of a command that is shown, as a shell reads it. */
export function shellWord(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
