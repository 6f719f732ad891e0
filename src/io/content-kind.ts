/** What a file is, told by its first bytes, for messages about files that are not what they should be. */
export interface ContentKind {
  /** With an article: "a PyTorch file". */
  readonly name: string;
  /** What helps, where something does. */
  readonly advice?: string;
}

/** Bytes from the start of a file that {@link contentKind} looks at. */
export const KIND_BYTES = 512;

interface Row extends ContentKind {
  /** Bytes at the start; -1 stands for any. */
  readonly magic?: readonly number[];
  /** Where `magic` is; 0 without it. */
  readonly at?: number;
  /** The start, a character for each byte. */
  readonly text?: RegExp;
}

const ascii = (text: string): number[] => Array.from(text, (letter) => letter.charCodeAt(0));
const ZIP = [...ascii("PK"), 3, 4];
const TORCH = { name: "a PyTorch file", advice: "`unnoise import` makes a checkpoint of it" };
const UNPACK = "unpack it first";

/** The first row that fits counts. A function, so that pages without it do not carry it. */
const rows = (): readonly Row[] => [
  { name: "a pointer of git-lfs", advice: "`git lfs pull` brings the file", text: /^version https:\/\/git-lfs/ },
  { ...TORCH, magic: ZIP, text: /^.{30}[^\0]{0,200}\/(data\.pkl|byteorder|version|\.format_version|data\/\d)/s },
  { name: "a NumPy archive", magic: ZIP, text: /^.{30}[^\0]{1,200}\.npy/s },
  { name: "a zip archive", advice: UNPACK, magic: ZIP },
  // The first thing in PyTorch's files of before 1.6 is a pickled magic number.
  { ...TORCH, magic: [0x80, -1, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9] },
  { name: "a pickle of Python", magic: [0x80, -1, 0x95] },
  { name: "a pickle of Python", magic: [0x80, 2] },
  { name: "a pickle of Python", magic: [0x80, 3] },
  { name: "a gzip archive", advice: UNPACK, magic: [0x1f, 0x8b, 8] },
  { name: "a bzip2 archive", advice: UNPACK, text: /^BZh[1-9]/ },
  { name: "an xz archive", advice: UNPACK, magic: [0xfd, ...ascii("7zXZ"), 0] },
  { name: "a zstd archive", advice: UNPACK, magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: "a 7z archive", advice: UNPACK, magic: [...ascii("7z"), 0xbc, 0xaf, 0x27, 0x1c] },
  { name: "a rar archive", advice: UNPACK, text: /^Rar!/ },
  { name: "a tar archive", advice: UNPACK, magic: ascii("ustar"), at: 257 },
  { name: "an HDF5 file", magic: [0x89, ...ascii("HDF"), 13, 10] },
  { name: "a NumPy array", magic: [0x93, ...ascii("NUMPY")] },
  { name: "a GGUF file", text: /^GGUF/ },
  { name: "a PDF", text: /^%PDF-/ },
  { name: "a PNG image", magic: [0x89, ...ascii("PNG")] },
  { name: "a JPEG image", magic: [0xff, 0xd8, 0xff] },
  { name: "a GIF image", text: /^GIF8[79]a/ },
  { name: "a WebP image", text: /^RIFF.{4}WEBP/s },
  { name: "an AVIF or HEIC image", text: /^.{4}ftyp(avi|hei|mif|msf)/s },
  { name: "a TIFF image", magic: [...ascii("II*"), 0] },
  { name: "a TIFF image", magic: [...ascii("MM"), 0, ...ascii("*")] },
  { name: "a BMP image", magic: [...ascii("BM"), -1, -1, -1, -1, 0, 0, 0, 0] },
  ...[8, 9, 11, 12, 13, 14].map((type) => ({ name: "an IDX file", magic: [0, 0, type, -1] })),
  { name: "a program", magic: [0x7f, ...ascii("ELF")] },
  { name: "a program", text: /^MZ.{58}/s },
  {
    name: "a web page",
    advice: "the download brought a page in place of the file",
    text: /^(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|script)\b/is,
  },
  { name: "an SVG drawing", text: /^(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*|<!--.*?-->\s*|<!doctype[^>]*>\s*)*<svg\b/is },
  { name: "an XML file", text: /^(\xef\xbb\xbf)?\s*<\?xml/ },
  { name: "a JSON file", text: /^(\xef\xbb\xbf)?\s*(\{\s*(["}]|$)|\[\s*([[{"\d\]-]|$))/ },
];

/**
 * What a file is by its first bytes, or undefined where they say nothing.
 *
 * @param start the first {@link KIND_BYTES} bytes, or the whole file if it has fewer
 */
export function contentKind(start: Uint8Array): ContentKind | undefined {
  if (start.length === 0) return { name: "an empty file" };
  const bytes = start.subarray(0, KIND_BYTES);
  const text = String.fromCharCode(...bytes);
  if (bytes.every((byte) => byte === 0)) return { name: "nothing but zeros" };
  const row = rows().find(
    ({ magic, at = 0, text: pattern }) =>
      (magic?.every((byte, i) => byte === -1 || byte === start[at + i]) ?? true) && (pattern?.test(text) ?? true),
  );
  return row ?? (bytes.every(isTextByte) ? { name: "a text file" } : undefined);
}

/** No control character but white space. */
function isTextByte(byte: number): boolean {
  return byte >= 0x20 ? byte !== 0x7f : byte === 9 || byte === 10 || byte === 13;
}

/** For a message: ", but a web page: the download brought a page in place of the file", or nothing. */
export function butItIs(start: Uint8Array): string {
  const kind = contentKind(start);
  if (kind === undefined) return "";
  return `, but ${kind.name}${kind.advice === undefined ? "" : `: ${kind.advice}`}`;
}

/** Whether this is a picture, made of pixels, as opposed to any other kind of file. */
export function isPicture({ name }: ContentKind): boolean {
  return name.endsWith(" image");
}
