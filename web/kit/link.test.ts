import { signal } from "@preact/signals";
import { expect, test } from "vitest";
import { FigureLink, numberWithin, oneOf, yesOrNo } from "./link.ts";

const page = "https://example.org/project/tutorial/1-noise.html";

function settingsAt(address: string, isFollowed = true) {
  const link = new FigureLink(address, "figure-noise", isFollowed);
  const settings = { t: signal(100), scale: signal(3), schedule: signal("linear"), isRescaled: signal(false) };
  link.bind("t", settings.t, numberWithin(0, 299));
  link.bind("scale", settings.scale, numberWithin(0, 8, 0.5));
  link.bind("schedule", settings.schedule, oneOf(["linear", "cosine"]));
  link.bind("rescaled", settings.isRescaled, yesOrNo);
  const values = () => Object.values(settings).map(({ value }) => value);
  return { link, settings, values };
}

test("a link holds the settings as they are now, and gives them back to the figure that it names", () => {
  const { link, settings } = settingsAt(page);
  [settings.t.value, settings.scale.value, settings.schedule.value] = [250, 4.5, "cosine"];
  settings.isRescaled.value = true;
  expect(link.address).toBe(`${page}?t=250&scale=4.5&schedule=cosine&rescaled=yes#figure-noise`);
  expect(settingsAt(link.address).values()).toEqual([250, 4.5, "cosine", true]);
  expect(settingsAt(link.address, false).values()).toEqual([100, 3, "linear", false]);
  expect(settingsAt(link.address.replace("#figure-noise", "#figure-walks")).values()).toEqual([
    100,
    3,
    "linear",
    false,
  ]);
});

test("what a setting cannot be is left as it is", () => {
  for (const query of [
    "t=300&scale=8.5&schedule=square&rescaled=1",
    "t=-1&scale=0.3&schedule=&rescaled=",
    "t=1e2&scale=NaN&schedule=Cosine&rescaled=true",
    "t=0x10&scale=%20&schedule=__proto__&rescaled=__proto__",
    `t=${"9".repeat(400)}&scale=Infinity&schedule=linear%00&rescaled=toString`,
    "t=1.5&scale=&x=%E0%A4%A",
  ]) {
    expect([query, settingsAt(`${page}?${query}#figure-noise`).values()]).toEqual([query, [100, 3, "linear", false]]);
  }
  expect(settingsAt(`${page}?t=7&scale=9#figure-noise`).values()).toEqual([7, 3, "linear", false]);
});
