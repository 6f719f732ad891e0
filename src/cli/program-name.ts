/** What to type before a command's name on this installation, for advice such as "unnoise sample". */
export function programName(): string {
  return import.meta.url.endsWith(".ts") ? "npm run unnoise --" : "npx unnoise";
}
