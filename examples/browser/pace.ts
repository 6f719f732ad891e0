/** Tells how long steps will take from how long those before them took; the first, which compiles, does not count. */
export class Pace {
  #first: { readonly step: number; readonly time: number } | undefined;

  /** @returns for people, what is left after a step; undefined where nothing is known yet */
  after(step: number, steps: number): string | undefined {
    const time = performance.now();
    if (this.#first === undefined) {
      this.#first = { step, time };
      return undefined;
    }
    const seconds = ((time - this.#first.time) / 1000 / (step - this.#first.step)) * (steps - step);
    return duration(seconds);
  }
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  return whole < 3600
    ? `${Math.ceil(whole / 60)} min`
    : `${Math.floor(whole / 3600)} h ${Math.ceil((whole % 3600) / 60)} min`;
}
