import type { Page } from "playwright-core";

export interface EdgeContrast {
  readonly id: string;
  readonly contrast: number;
}

/** How borders of elements stand out from the card or the page that they are on, by WCAG 2's measure, 1 to 21. */
export function edgeContrasts(page: Page, selector: string): Promise<EdgeContrast[]> {
  return page.$$eval(selector, (elements) => {
    /** Relative luminance of a colour in any notation, which a canvas knows how to read. */
    const luminance = (colour: string): number => {
      const context = new OffscreenCanvas(1, 1).getContext("2d");
      if (!context) return Number.NaN;
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [red, green, blue] = Array.from(context.getImageData(0, 0, 1, 1).data, (byte) => {
        const level = byte / 255;
        return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    return elements.map((element) => {
      const ground = getComputedStyle(element.closest("section") ?? document.documentElement).backgroundColor;
      const [a, b] = [luminance(getComputedStyle(element).borderTopColor), luminance(ground)];
      return { id: element.id, contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) };
    });
  });
}
