import { digestOf } from "../../backend/common/kept/digest.ts";
import type { LoaderState } from "../../data/loader.ts";
import type { Variable } from "../../tensor/variable.ts";
import type { Collective } from "./collective.ts";

/** Where a run stands, but for the numbers in its variables. */
export interface Place {
  readonly step: number;
  /** The step of the last checkpoint, -1 before there is one. */
  readonly savedStep: number;
  readonly position: LoaderState;
}

/** What the processes of a training tell each other besides gradients. With a single one all is as it says. */
export class Ranks {
  readonly collective: Collective;

  constructor(collective: Collective) {
    this.collective = collective;
  }

  get areMany(): boolean {
    return this.collective.size > 1;
  }

  /**
   * Has all processes begin where rank 0 does, with its numbers.
   *
   * @returns the place of rank 0
   */
  async begin({ step, savedStep, position }: Place, variables: readonly Variable[]): Promise<Place> {
    const place = Float64Array.of(step, savedStep, position.epoch, position.position, position.length);
    await this.collective.broadcast(place);
    for (const variable of variables) {
      const values = await variable.read();
      await this.collective.broadcast(values);
      if (this.collective.rank !== 0) await variable.write(values);
    }
    return {
      step: place[0],
      savedStep: place[1],
      position: { epoch: place[2], position: place[3], length: place[4] },
    };
  }

  /**
   * @param loss of this one's images, which are as many as those of each other one
   * @param stop whether this one is asked to end the run
   * @returns the loss of all images, and whether any is asked to
   */
  async endStep(loss: number, stop: boolean): Promise<{ readonly loss: number; readonly stop: boolean }> {
    const told = Float64Array.of(loss / this.collective.size, stop ? 1 : 0);
    await this.collective.allReduce(told);
    return { loss: told[0], stop: told[1] > 0 };
  }

  /** @throws Error of one line, at all ranks, unless all say the same. @param what it is, for the message */
  async checkAlike(text: string, what: string): Promise<void> {
    const own = encode(await digestOf(encode(text)));
    const first = own.slice();
    await this.collective.broadcast(first);
    const differs = new Float64Array(this.collective.size);
    if (own.some((byte, i) => byte !== first[i])) differs[this.collective.rank] = 1;
    await this.collective.allReduce(differs);
    const others = [...differs.keys()].filter((rank) => differs[rank] > 0);
    if (others.length === 0) return;
    const ranks = `rank${others.length === 1 ? "" : "s"} ${others.join(", ")}`;
    throw new Error(`Trainer: ${what} must be the same in all processes, those of ${ranks} are not those of rank 0`);
  }

  /** @throws Error of one line, at all ranks, unless the numbers of all are the same, bit for bit */
  async checkValues(variables: readonly Variable[], what: string): Promise<void> {
    const digests: string[] = [];
    for (const variable of variables) {
      const { buffer, byteOffset, byteLength } = await variable.read();
      digests.push(await digestOf(new Uint8Array(buffer, byteOffset, byteLength)));
    }
    await this.checkAlike(digests.join(), what);
  }
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
