import type { Browser, Page } from "playwright-core";
import type { WorkerLike } from "../../src/backend/common/channel.ts";

declare const startHost: () => (message: unknown) => void;
declare const send: (message: unknown) => void;

/**
 * A worker of a page of its own, whose messages go through the browser's debugging connection.
 *
 * @param url of the page of `bridge`
 * @param opened is given the page before its worker is started
 */
export async function workerInPage(
  browser: Browser,
  url: string,
  opened: (page: Page) => void = () => {},
): Promise<WorkerLike> {
  const page = await browser.newPage();
  opened(page);
  const listeners: ((event: MessageEvent) => void)[] = [];
  await page.exposeFunction("deliver", (data: unknown) => {
    for (const listener of listeners) listener(new MessageEvent("message", { data }));
  });
  await page.goto(url);
  await page.evaluate(() => Object.assign(globalThis, { send: startHost() }) && undefined);
  return {
    // What nobody has any more is given back whenever it is collected: a worker that has ended hears nothing of it.
    postMessage: (message: unknown) =>
      void page
        .evaluate((message) => send(message), message)
        .catch((error: unknown) => {
          if (!page.isClosed()) throw error;
        }),
    addEventListener: ((type: string, listener: (event: MessageEvent) => void) => {
      if (type === "message") listeners.push(listener);
    }) as WorkerLike["addEventListener"],
    terminate: () => void page.close(),
  };
}
