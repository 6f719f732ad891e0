import type { Backend } from "./backend.ts";
import { DeviceLost } from "./common/device-lost.ts";

export interface SpareDeviceOptions {
  /** Opens a device, the first and every fresh one. */
  readonly open: () => Promise<Backend>;
  /** How many fresh ones are opened in place of those that are lost; default 1. */
  readonly spares?: number | undefined;
  /** Is told in one line of each that is lost. */
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * Does work that can be done again from where it was saved last: if its device is lost, once more on a fresh one, which
 * works in Node as in a page. The device is closed at the end.
 *
 * @param use must build its models and trainers itself: the values of variables are lost with their device
 * @throws DeviceLost when there is no spare device left, and what `use` throws
 *
 * @example
 * await withSpareDevice({ open: () => createBackend({ device: "webgpu" }) }, async (backend) => {
 *   const trainer = new Trainer({ backend, runDirectory, model: new Unet(options), ...rest });
 *   for await (const { step, loss } of trainer.run({ steps: 1000 })) console.log(step, loss);
 * });
 */
export async function withSpareDevice<T>(
  { open, spares = 1, log = () => {} }: SpareDeviceOptions,
  use: (backend: Backend) => Promise<T>,
): Promise<T> {
  for (let left = spares; ; left--) {
    const backend = await open();
    try {
      return await use(backend);
    } catch (error) {
      if (!(error instanceof DeviceLost) || left <= 0) throw error;
      log(`${error.message}; trying once more with a fresh one, from the last checkpoint`);
    } finally {
      await backend.close();
    }
  }
}
