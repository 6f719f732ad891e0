/** @throws Error of one line if the server has no such file */
export async function fetchBytes(url: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: could not be fetched, the server says ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
