/** Sides of a saved picture's pixels. */
const SCALE = 8;

/** Offers a file for download. */
export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Offers what a canvas shows as a PNG, with its pixels as large squares. */
export async function savePicture(source: HTMLCanvasElement, name: string): Promise<void> {
  const large = new OffscreenCanvas(source.width * SCALE, source.height * SCALE);
  const context = large.getContext("2d");
  if (!context) throw new Error("this browser gives no canvas to scale images with");
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, large.width, large.height);
  save(await large.convertToBlob({ type: "image/png" }), name);
}
