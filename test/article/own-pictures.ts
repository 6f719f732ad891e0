import sharp from "sharp";
import type { Sharp } from "sharp";

/** Four quarters in colours, so that every turn of the picture is another one. */
async function quarters(width: number, height: number, opacity = 1): Promise<Sharp> {
  const colours = ["#e02020", "#20c040", "#2040e0", "#e0d020"];
  const quarter = (background: string): Promise<Buffer> =>
    sharp({ create: { width: width / 2, height: height / 2, channels: 3, background } })
      .ensureAlpha(background === colours[0] ? opacity : 1)
      .png({ compressionLevel: 1 })
      .toBuffer();
  const input = await Promise.all(colours.map(quarter));
  const places = input.map((input, i) => ({
    input,
    left: (i % 2) * (width / 2),
    top: Math.floor(i / 2) * (height / 2),
  }));
  const clear = { r: 0, g: 0, b: 0, alpha: 0 };
  return sharp({ create: { width, height, channels: 4, background: clear } }).composite(places);
}

/** Pictures as readers have them. */
export async function ownPictures(): Promise<readonly { readonly name: string; readonly file: Buffer }[]> {
  const photo = (await quarters(300, 200)).flatten({ background: "white" });
  return [
    { name: "photo.jpg", file: await photo.clone().jpeg().toBuffer() },
    // As a phone that was held upright writes it.
    { name: "turned.jpg", file: await photo.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer() },
    { name: "clear.png", file: await (await quarters(120, 90, 0)).png().toBuffer() },
    { name: "half clear.png", file: await (await quarters(120, 90, 0.5)).png().toBuffer() },
    { name: "huge.png", file: await (await quarters(8000, 6000)).png({ compressionLevel: 1 }).toBuffer() },
  ];
}
