const explanations: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EBUSY: "in use by another program",
  EEXIST: "there is a file of that name",
  EDQUOT: "disk quota exceeded",
  EFBIG: "larger than the limit for a file here",
  EISDIR: "it is a directory",
  ELOOP: "its symbolic links go in a circle",
  EMFILE: "too many open files",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on the device",
  ENOTDIR: "a part of the path is not a directory",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
};

/** The code of an operating system error, such as ENOENT, or undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** First line of an error's message. */
export function errorLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n", 1)[0] ?? "";
}

/** An error of one line that names the file and what went wrong: `runs/a.png: cannot write: permission denied`. */
export function fileError(path: string, action: "read" | "write" | "list", cause: unknown): Error {
  const explanation = explanations[errorCode(cause) ?? ""] ?? errorLine(cause);
  return new Error(`${path}: cannot ${action}: ${explanation}`, { cause });
}
