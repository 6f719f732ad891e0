import { signal } from "@preact/signals";
import type { BetaSchedule } from "unnoise";
import { numberWithin, oneOf } from "../../../kit/link.ts";
import type { FigureLink } from "../../../kit/link.ts";
import type { PictureSource } from "../common/code.ts";
import { garmentSource } from "../common/garments.ts";
import { COMPARED } from "../schedules/model.ts";

const FIRST = { schedule: "linear" as BetaSchedule, timesteps: 300, t: 100, source: { garment: 18 } as PictureSource };

/** What the noise slider and the schedules share: moving one moves the other. */
export const schedule = signal(FIRST.schedule);
export const timesteps = signal(FIRST.timesteps);
export const t = signal(FIRST.t);
export const source = signal(FIRST.source);

/** How many timesteps there are to choose from. */
export const TIMESTEPS = [300, 1000];

/** Puts what they share of time into a figure's link. */
export function linkTime(link: FigureLink): void {
  link.bind("schedule", schedule, oneOf(COMPARED));
  link.bind("timesteps", timesteps, oneOf(TIMESTEPS));
  link.bind("t", t, numberWithin(0, timesteps.peek() - 1));
}

export function linkSource(link: FigureLink): void {
  link.bind("garment", source, garmentSource);
}

export function resetTime(): void {
  schedule.value = FIRST.schedule;
  timesteps.value = FIRST.timesteps;
  t.value = FIRST.t;
}

export function resetSource(): void {
  source.value = FIRST.source;
}

/** Takes another number of timesteps at the same share of the way. */
export function setTimesteps(count: number): void {
  t.value = Math.round((t.value / (timesteps.value - 1)) * (count - 1));
  timesteps.value = count;
}
