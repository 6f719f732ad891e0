// A service worker for hosts that only serve files: it adds the headers with which a page may share memory between
// threads. It answers with what the host answers, and keeps nothing.

/** @typedef {Event & { readonly request: Request, respondWith(response: Promise<Response>): void }} FetchEvent */
/** @typedef {{ skipWaiting(): Promise<void> }} ServiceWorkerScope */

self.addEventListener("install", () => {
  void (/** @type {ServiceWorkerScope} */ (/** @type {unknown} */ (self)).skipWaiting());
});

self.addEventListener("fetch", (event) => {
  const fetched = /** @type {FetchEvent} */ (event);
  const { request } = fetched;
  // What developer tools ask for, and what no worker may answer.
  if (request.cache === "only-if-cached" && request.mode !== "same-origin") return;
  fetched.respondWith(fetch(request).then(isolated));
});

/** @param {Response} response */
function isolated(response) {
  if (response.status === 0) return response; // of another origin: not to be read
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  const { status, statusText } = response;
  const isEmpty = [101, 204, 205, 304].includes(status);
  return new Response(isEmpty ? null : response.body, { status, statusText, headers });
}
