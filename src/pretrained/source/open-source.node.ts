import { stat } from "node:fs/promises";
import { HubSource } from "../hub/hub-source.node.ts";
import { isRepositoryId } from "../hub/repository.ts";
import { FolderSource } from "./folder.node.ts";
import type { SourceOptions } from "./open-source.ts";
import type { Source } from "./source.ts";

/**
 * A folder where there is one, and a repository of the hub otherwise.
 *
 * @throws Error of one line if it is neither
 */
export async function openInNode(place: string, options: SourceOptions): Promise<Source> {
  const status = await stat(place).catch(() => undefined);
  if (status?.isDirectory() === true) return new FolderSource(place);
  if (status) throw new Error(`${place}: must be a folder, and is a file`);
  if (!isRepositoryId(place)) throw new Error(`${place}: no such folder, and no name of the hub, owner/name`);
  return HubSource.open("model", place, options);
}
