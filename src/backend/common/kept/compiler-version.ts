/**
 * A digest of the compiler's sources, which programs that are kept are known by. The build puts it here
 * (scripts/compiler-version.ts); the sources themselves, which may change at any time, have none.
 */
export const COMPILER_VERSION = undefined as string | undefined;
