/** Says in this tab that it has been reloaded once to become isolated; a second time would not help. */
const RELOADED = "reloaded to share memory";

/**
 * Makes the page cross-origin isolated where its host does not send the headers, so that programs run on all threads: a
 * service worker adds them, from the next load on, so the page is loaded again once. Where that is not allowed, or does
 * not help, the page works on one thread.
 */
export async function isolate(): Promise<void> {
  if (window.crossOriginIsolated || !window.isSecureContext || !("serviceWorker" in navigator)) return;
  const script = new URL(`${document.documentElement.dataset.root ?? "./"}isolation.js`, location.href);
  try {
    await navigator.serviceWorker.register(script);
    await navigator.serviceWorker.ready;
    // Where storage is forbidden, this throws: the page must not reload without remembering it.
    if (sessionStorage.getItem(RELOADED) !== null) return;
    sessionStorage.setItem(RELOADED, new Date().toISOString());
    location.reload();
  } catch {
    // Private windows and some settings forbid service workers or storage: one thread, then.
  }
}
