/** What frees a program's memory once. */
export type Release = () => void;

const garbage = new FinalizationRegistry<Release>((release) => release());

/**
 * Has the memory of a program freed when the program is disposed of, or is garbage.
 *
 * @param free must not refer to the owner, which would never be garbage then
 */
export function releaseWith(owner: object, free: () => void): Release {
  let isReleased = false;
  const release = (): void => {
    if (isReleased) return;
    isReleased = true;
    garbage.unregister(release);
    free();
  };
  garbage.register(owner, release, release);
  return release;
}
