/** What is known of a kind of file before it is read, so that no more of it is read than it says that it has. */
export interface FileFormat {
  /** Bytes that no such file exceeds. */
  readonly maxBytes: number;
  /** @param source name of the file for messages */
  readonly extent: (source: string) => Extent;
}

/**
 * How long a file is by what it says itself, told from its start: bytes, or undefined while that is not known yet.
 *
 * @param start the first bytes of the file, each time more of them
 * @param fileBytes length of the whole file, where it is known
 * @throws one line if the start is of no such file
 */
export type Extent = (start: Uint8Array, fileBytes?: number) => number | undefined;
