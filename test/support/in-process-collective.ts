import type { Collective } from "../../src/training/collective/collective.ts";

interface Meeting {
  readonly kind: string;
  readonly values: ArrayBufferView[];
  readonly ended: Promise<void>;
  readonly end: () => void;
}

/**
 * Processes that train together, all of them in this one: every call waits until all ranks have made it, and fails where
 * they do not call the same. Sums are taken in the order of the ranks, in double precision.
 */
export function inProcessCollectives(size: number): (Collective & { readonly calls: string[] })[] {
  let fail: (reason: Error) => void = () => {};
  const aborted = new Promise<never>((_, reject) => (fail = reject));
  aborted.catch(() => {});
  const meetings = new Map<number, Meeting>();
  const made = new Array<number>(size).fill(0);

  const meet = (rank: number, kind: string, values: ArrayBufferView, use: (all: ArrayBufferView[]) => void) => {
    const place = made[rank]++;
    const meeting = meetings.get(place) ?? newMeeting(kind);
    meetings.set(place, meeting);
    if (meeting.kind !== kind) fail(new Error(`rank ${rank} calls ${kind}, another one ${meeting.kind}`));
    meeting.values[rank] = values;
    if (meeting.values.filter(Boolean).length === size) {
      use(meeting.values);
      meetings.delete(place);
      meeting.end();
    }
    return Promise.race([meeting.ended, aborted]);
  };

  return Array.from({ length: size }, (_, rank) => {
    const calls: string[] = [];
    return {
      rank,
      size,
      calls,
      allReduce: (values) => {
        const kind = `allReduce of ${values.constructor.name} ${values.length}`;
        calls.push(kind);
        return meet(rank, kind, values, (all) => addUp(all as (typeof values)[]));
      },
      broadcast: (values) => {
        const kind = `broadcast of ${values.byteLength}`;
        calls.push(kind);
        return meet(rank, kind, values, ([first, ...others]) =>
          others.forEach((other) => bytesOf(other).set(bytesOf(first))),
        );
      },
      abort: (code) => fail(new Error(`rank ${rank} has ended all with ${code}`)),
    };
  });
}

function newMeeting(kind: string): Meeting {
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  return { kind, values: [], ended, end };
}

function addUp(all: readonly (Float32Array | Float64Array)[]): void {
  for (const i of all[0].keys()) {
    const sum = all.reduce((total, values) => total + values[i], 0);
    for (const values of all) values[i] = sum;
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
