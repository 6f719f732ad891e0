// The script of every worker in a page: the one that a backend lives in, and the threads that it starts. As it is one
// file that needs no other, a page can serve it from wherever it likes.
import { openInWorker } from "./open-in-worker.browser.ts";
import { hostBackend } from "./remote/backend-host.ts";
import { THREAD, serveThread } from "./wasm/runtime/thread.browser.ts";

if (self.name === THREAD) serveThread(self);
else hostBackend(self, openInWorker);
