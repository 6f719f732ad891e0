import type { Backend } from "unnoise";

/**
 * What is made once for each backend, such as programs and the networks that live there, and then kept. What fails is
 * tried again.
 */
export function perBackend<T>(make: (backend: Backend) => Promise<T>): (backend: Backend) => Promise<T> {
  const made = new WeakMap<Backend, Promise<T>>();
  return (backend) => {
    const known = made.get(backend);
    if (known !== undefined) return known;
    const fresh = make(backend);
    made.set(backend, fresh);
    fresh.catch(() => made.delete(backend));
    return fresh;
  };
}
