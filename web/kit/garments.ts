import { decodeCheckpoint, idxDataset, parseSafetensors } from "unnoise";
import type { Checkpoint, ImageDataset } from "unnoise";

// Files that come with the library, and so with the site.
const IMAGES = new URL("../../data/fashion-mnist/t10k-images-idx3-ubyte.gz", import.meta.url);
const LABELS = new URL("../../data/fashion-mnist/t10k-labels-idx1-ubyte.gz", import.meta.url);
const MODEL = new URL("../../data/fashion-mnist-classes/model.safetensors", import.meta.url);

export const garmentClasses = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/** @throws Error of one line if the server has no such file */
export async function fetchFile(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.href}: the server answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The 10,000 test images of Fashion-MNIST, about 4 MB to fetch. */
export async function testGarments(): Promise<ImageDataset> {
  const [images, labels] = await Promise.all([IMAGES, LABELS].map(async (url) => unpacked(await fetchFile(url))));
  return idxDataset({
    name: "fashion-mnist test",
    source: "the page",
    images: { bytes: images, source: "t10k-images-idx3-ubyte" },
    labels: { bytes: labels, source: "t10k-labels-idx1-ubyte" },
    classNames: garmentClasses,
  });
}

/** Without gzip, which some servers undo by themselves. */
async function unpacked(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The model that comes with the library: garments of ten classes, 658,737 parameters, 1.3 MB. */
export async function shippedModel(): Promise<Checkpoint> {
  return decodeCheckpoint(parseSafetensors(await fetchFile(MODEL), "model.safetensors"), "model.safetensors");
}
