import type { Backend } from "../../src/backend/backend.ts";
import { hostBackend } from "../../src/backend/remote/backend-host.ts";
import type { WorkerLike } from "../../src/backend/common/channel.ts";

/** A worker in this thread that hosts a backend: messages are cloned as on their way to a real one. */
export function inProcessWorker(create: () => Promise<Backend>): WorkerLike {
  const { port1, port2 } = new MessageChannel();
  hostBackend(port2, create);
  port1.start();
  port2.start();
  const addEventListener = port1.addEventListener.bind(port1) as WorkerLike["addEventListener"];
  return { postMessage: port1.postMessage.bind(port1), addEventListener, terminate: () => port1.close() };
}
