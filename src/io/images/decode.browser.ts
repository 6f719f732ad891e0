/** An image's pixels, upright and on white. */
export interface DecodedImage {
  readonly rgba: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** @param size the middle of the image in this size; its own unless given */
export async function decodeInPage(
  source: Blob | string | URL,
  size?: { readonly width: number; readonly height: number },
): Promise<DecodedImage> {
  const name = source instanceof Blob ? (source instanceof File ? source.name : "the image") : String(source);
  const blob = source instanceof Blob ? source : await fetched(source);
  const image = await createImageBitmap(blob).catch(() => {
    throw new Error(`${name}: not an image that this browser can read`);
  });
  const { width, height } = size ?? image;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  if (!context) throw new Error(`${name}: this browser gives no canvas to scale images with`);
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  const scale = Math.min(image.width / width, image.height / height);
  const [w, h] = [scale * width, scale * height];
  context.drawImage(image, (image.width - w) / 2, (image.height - h) / 2, w, h, 0, 0, width, height);
  image.close();
  return { rgba: context.getImageData(0, 0, width, height).data, width, height };
}

async function fetched(address: string | URL): Promise<Blob> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${String(address)}: cannot be fetched: ${response.status}`);
  return response.blob();
}
