/** How many images a figure draws at a time: half of them on small screens, where they would not be seen. */
export function batchFor(images: number): number {
  return matchMedia("(width < 600px)").matches ? images / 2 : images;
}
