import * as unnoise from "unnoise";

// All of the library, for tests to use from outside.
Object.assign(globalThis, { unnoise });
