/**
 * @typedef {{ version?: string, link?: boolean, optional?: boolean }} LockedPackage
 * @typedef {{ packages?: Record<string, LockedPackage> }} Lockfile
 */

/**
 * The packages that `lock` (package-lock.json) asks for and `installed` (the record npm keeps in
 * node_modules/.package-lock.json) lacks or holds in another version, as paths such as "node_modules/zod".
 * Packages for other platforms are optional and may be absent.
 *
 * @param {Lockfile} lock
 * @param {Lockfile | undefined} installed undefined where nothing is installed
 * @returns {string[]}
 */
export function missingPackages(lock, installed) {
  const present = installed?.packages ?? {};
  return Object.entries(lock.packages ?? {})
    .filter(([path]) => path !== "")
    .filter(([path, wanted]) => {
      const found = present[path];
      if (found === undefined) return wanted.optional !== true;
      return found.version !== wanted.version || found.link !== wanted.link;
    })
    .map(([path]) => path);
}
