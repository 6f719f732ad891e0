/** A repository of the Hugging Face hub, at one of its revisions. */
export interface Repository {
  readonly kind: "model" | "dataset";
  /** `name` or `owner/name`. */
  readonly id: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

/** Where the hub is if nobody says otherwise. */
export const HUB = "https://huggingface.co";

const MOST_ID = 96;

/** Whether a text can be the name of a repository, by the rules of huggingface_hub. */
export function isRepositoryId(text: string): boolean {
  const isWellFormed = /^(?:\w[\w.-]*\/)?\w(?:[\w.-]*\w)?$/.test(text);
  return isWellFormed && text.length <= MOST_ID && !/--|\.\.|\.git$/.test(text);
}

/** @throws Error of one line if there can be no such repository or revision */
export function checkRepository({ kind, id, revision }: Repository): void {
  if (!isRepositoryId(id)) {
    throw new Error(`${kind}: must be name or owner/name, of letters, digits and .-_, got ${shown(id)}`);
  }
  const isWellFormed = /^\w[\w.-]*(?:\/\w[\w.-]*)*$/.test(revision) && !revision.includes("..");
  if (!isWellFormed || revision.length > 250) {
    throw new Error(`${id}: revision must be a branch, a tag or a commit, got ${shown(revision)}`);
  }
}

/** Whether a revision is a commit, which never changes. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Where the hub says what a repository has. */
export function infoUrl(endpoint: string, { kind, id, revision }: Repository): string {
  return `${endpoint}/api/${kind}s/${id}/revision/${encodeURIComponent(revision)}`;
}

/** What all files of a revision are below of, without a slash at its end. */
export function filesUrl(endpoint: string, { kind, id, revision }: Repository): string {
  return `${endpoint}/${kind === "dataset" ? "datasets/" : ""}${id}/resolve/${encodeURIComponent(revision)}`;
}

/** Where people look at a repository. */
export function pageUrl(endpoint: string, { kind, id }: Repository): string {
  return `${endpoint}/${kind === "dataset" ? "datasets/" : ""}${id}`;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 97)}...` : text);
}
