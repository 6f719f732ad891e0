import { DeviceLost } from "./device-lost.ts";
import { OutOfMemory } from "./out-of-memory.ts";

/** What is used of a Worker; tests bring other ways to carry messages. */
export type WorkerLike = Pick<Worker, "postMessage" | "addEventListener" | "terminate">;

/** The scope inside such a worker. */
export interface WorkerScope {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

/** Functions by name, all of them asynchronous, whose arguments and results can be cloned. */
type Functions<F> = { readonly [Name in keyof F]: (...args: never[]) => Promise<unknown> };

interface Call {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** An error on its way: cloning would make a plain one of it. */
interface Fault {
  readonly message: string;
  readonly isDeviceLost: boolean;
  /** Of an {@link OutOfMemory}. */
  readonly neededBytes: number | undefined;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: Fault;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Calls functions that live in a worker. Calls arrive in order; each is begun without waiting for those before. */
export class Caller<F extends Functions<F>> {
  readonly #worker: WorkerLike;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #failure: Error | undefined;
  #isDeviceLost = false;

  /** @param fault what to say if the worker's script cannot be loaded */
  constructor(worker: WorkerLike, fault = "worker: its script could not be loaded") {
    this.#worker = worker;
    worker.addEventListener("message", (event) => this.#settle((event as MessageEvent<Answer>).data));
    worker.addEventListener("error", (event) => {
      // An error event without a message: the worker's script could not be loaded.
      const { message } = event as Partial<ErrorEvent>;
      this.#fail(new Error(message === undefined ? fault : `worker: ${message}`));
    });
  }

  /** Whether the worker ended, or what it works on did. */
  get hasFailed(): boolean {
    return this.#failure !== undefined || this.#isDeviceLost;
  }

  async call<Name extends keyof F & string>(
    name: Name,
    ...args: Parameters<F[Name]>
  ): Promise<Awaited<ReturnType<F[Name]>>> {
    if (this.#failure) throw this.#failure;
    const id = this.#calls++;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#worker.postMessage({ id, name, args } satisfies Call);
    return (await answer) as Awaited<ReturnType<F[Name]>>;
  }

  /** Calls a function whose result nobody needs, such as one that frees memory: if the worker is gone, so is what it held. */
  tell<Name extends keyof F & string>(name: Name, ...args: Parameters<F[Name]>): void {
    this.call(name, ...args).catch(() => undefined);
  }

  /** Fails the calls that were not answered, and those that come. */
  close(reason: Error): void {
    this.#fail(reason);
  }

  #settle({ id, value, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error?.isDeviceLost) this.#isDeviceLost = true;
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(errorOf(error));
  }

  #fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Answers a {@link Caller} from inside the worker. */
export function serve<F extends Functions<F>>(scope: WorkerScope, functions: F): void {
  const byName = functions as unknown as Readonly<Record<string, (...args: readonly unknown[]) => Promise<unknown>>>;
  const answer = async ({ id, name, args }: Call): Promise<Answer> => {
    try {
      return { id, value: await byName[name](...args) };
    } catch (error) {
      return { id, error: faultOf(error) };
    }
  };
  scope.addEventListener("message", (event: MessageEvent<Call>) => {
    void answer(event.data).then((message) => scope.postMessage(message));
  });
}

function faultOf(error: unknown): Fault {
  return {
    message: error instanceof Error ? error.message : String(error),
    isDeviceLost: error instanceof DeviceLost,
    neededBytes: error instanceof OutOfMemory ? error.neededBytes : undefined,
  };
}

function errorOf({ message, isDeviceLost, neededBytes }: Fault): Error {
  if (isDeviceLost) return new DeviceLost(message);
  return neededBytes === undefined ? new Error(message) : new OutOfMemory(message, neededBytes);
}
