/** Thrown by {@link Backend.load} where a program does not fit, so that a caller can try with a smaller batch. */
export class OutOfMemory extends Error {
  readonly neededBytes: number;

  constructor(message: string, neededBytes: number) {
    super(message);
    this.neededBytes = neededBytes;
  }
}
