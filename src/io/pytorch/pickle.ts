/**
 * A reader of pickles, for the few things that `torch.save` writes of tensors in dictionaries. A pickle is a program for a
 * machine with a stack; here its instructions are a list of those allowed, and whatever else it asks for, such as a
 * function to call, is refused by name. Nothing of it is run.
 */

/** A thing of a module that a pickle names, such as torch.FloatStorage. */
export class PickleGlobal {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** What a pickle holds: dictionaries are maps, tuples and lists are arrays. Other things are what `Handlers` make. */
export type PickleValue = unknown;

export interface PickleHandlers {
  /** What calling a global with arguments makes. Only those it is asked for; all others are refused. */
  readonly calls: Readonly<Record<string, (args: readonly PickleValue[]) => PickleValue>>;
  /** Globals that are named, but not called. */
  readonly names: ReadonlySet<string>;
  /** What stands outside of the pickle under an id. */
  readonly persistent: (id: PickleValue) => PickleValue;
}

/** More values on the stack than any file has. */
const MOST_VALUES = 10_000_000;

/**
 * Reads one pickle of protocol 2 to 5.
 *
 * @param source name of the file for messages
 * @throws Error of one line if it is damaged or asks for what is not allowed
 */
export function readPickle(bytes: Uint8Array, source: string, handlers: PickleHandlers): PickleValue {
  return new Unpickler(bytes, source, handlers).read();
}

class Unpickler {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #source: string;
  readonly #handlers: PickleHandlers;
  #at = 0;
  #stack: PickleValue[] = [];
  readonly #marks: PickleValue[][] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(bytes: Uint8Array, source: string, handlers: PickleHandlers) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#source = source;
    this.#handlers = handlers;
  }

  read(): PickleValue {
    for (;;) {
      const code = this.#u8();
      if (code === STOP) return this.#pop();
      const instruction = this.#instructions[code];
      if (instruction === undefined) {
        throw new Error(`${this.#source}: its pickle has an instruction that is not read, 0x${code.toString(16)}`);
      }
      instruction();
      if (this.#stack.length > MOST_VALUES) throw this.#damaged("too many values");
    }
  }

  /** By code, with the names of Python's pickletools. */
  readonly #instructions: Readonly<Record<number, () => void>> = {
    // PROTO, FRAME
    0x80: () => {
      const protocol = this.#u8();
      if (protocol > 5) throw this.#damaged(`protocol ${protocol}`);
    },
    0x95: () => void this.#length(8),
    // Constants: NONE, NEWTRUE, NEWFALSE
    0x4e: () => this.#push(null),
    0x88: () => this.#push(true),
    0x89: () => this.#push(false),
    // Numbers: BININT, BININT1, BININT2, LONG1, BINFLOAT
    0x4a: () => this.#push(this.#view.getInt32(this.#take(4), true)),
    0x4b: () => this.#push(this.#u8()),
    0x4d: () => this.#push(this.#length(2)),
    0x8a: () => this.#push(this.#long()),
    0x47: () => this.#push(this.#view.getFloat64(this.#take(8))),
    // Text: SHORT_BINUNICODE, BINUNICODE, BINUNICODE8; of Python 2: SHORT_BINSTRING, BINSTRING
    0x8c: () => this.#push(this.#text(1)),
    0x58: () => this.#push(this.#text(4)),
    0x8d: () => this.#push(this.#text(8)),
    0x55: () => this.#push(this.#text(1)),
    0x54: () => this.#push(this.#text(4)),
    // Bytes: SHORT_BINBYTES, BINBYTES
    0x43: () => this.#push(this.#raw(1)),
    0x42: () => this.#push(this.#raw(4)),
    // Tuples: MARK, TUPLE, EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3
    0x28: () => {
      this.#marks.push(this.#stack);
      this.#stack = [];
    },
    0x74: () => this.#push(this.#popMark()),
    0x29: () => this.#push([]),
    0x85: () => this.#push(this.#popMany(1)),
    0x86: () => this.#push(this.#popMany(2)),
    0x87: () => this.#push(this.#popMany(3)),
    // Lists: EMPTY_LIST, APPEND, APPENDS
    0x5d: () => this.#push([]),
    0x61: () => this.#append(this.#popMany(1)),
    0x65: () => this.#append(this.#popMark()),
    // Dictionaries: EMPTY_DICT, SETITEM, SETITEMS
    0x7d: () => this.#push(new Map()),
    0x73: () => this.#setItems(this.#popMany(2)),
    0x75: () => this.#setItems(this.#popMark()),
    // The memo: BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
    0x71: () => void this.#memo.set(this.#u8(), this.#top()),
    0x72: () => void this.#memo.set(this.#length(4), this.#top()),
    0x94: () => void this.#memo.set(this.#memo.size, this.#top()),
    0x68: () => this.#recall(this.#u8()),
    0x6a: () => this.#recall(this.#length(4)),
    // Globals: GLOBAL, STACK_GLOBAL; what is made of them: REDUCE, BUILD; what is stored elsewhere: BINPERSID
    0x63: () => this.#global(`${this.#line()}.${this.#line()}`),
    0x93: () => {
      const [module, name] = this.#popMany(2);
      this.#global(`${String(module)}.${String(name)}`);
    },
    0x52: () => this.#reduce(),
    0x62: () => this.#build(),
    0x51: () => this.#push(this.#handlers.persistent(this.#pop())),
  };

  #global(name: string): void {
    const { calls, names } = this.#handlers;
    if (!Object.hasOwn(calls, name) && !names.has(name)) throw this.#refused(name);
    this.#push(new PickleGlobal(name));
  }

  #reduce(): void {
    const [callee, args] = this.#popMany(2);
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args)) throw this.#damaged("a call of nothing");
    if (!Object.hasOwn(this.#handlers.calls, callee.name)) throw this.#refused(callee.name);
    this.#push(this.#handlers.calls[callee.name](args));
  }

  /** Gives an object its fields. Those of dictionaries, such as a state dict's _metadata, say nothing of the tensors. */
  #build(): void {
    this.#pop();
    if (!(this.#top() instanceof Map)) throw this.#damaged("fields of something that has none");
  }

  #append(values: readonly PickleValue[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#damaged("an entry of something that is no list");
    for (const value of values) list.push(value);
  }

  #setItems(items: readonly PickleValue[]): void {
    const map = this.#top();
    if (!(map instanceof Map) || items.length % 2 !== 0)
      throw this.#damaged("an entry of something that is no dictionary");
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  }

  #refused(name: string): Error {
    const shown = name.length > 80 ? `${name.slice(0, 77)}...` : name;
    return new Error(
      `${this.#source}: asks for ${JSON.stringify(shown)}, which is not read from files; nothing of it was run. ` +
        "Save the weights alone: torch.save(model.state_dict(), path)",
    );
  }

  #damaged(problem: string): Error {
    return new Error(`${this.#source}: damaged pickle: ${problem}`);
  }

  #push(value: PickleValue): void {
    this.#stack.push(value);
  }

  #top(): PickleValue {
    if (this.#stack.length === 0) throw this.#damaged("a value is missing");
    return this.#stack[this.#stack.length - 1];
  }

  #pop(): PickleValue {
    return this.#popMany(1)[0];
  }

  #popMany(count: number): PickleValue[] {
    if (this.#stack.length < count) throw this.#damaged("a value is missing");
    const values = this.#stack.slice(-count);
    this.#stack.length -= count;
    return values;
  }

  #popMark(): PickleValue[] {
    const above = this.#stack;
    const below = this.#marks.pop();
    if (below === undefined) throw this.#damaged("a mark is missing");
    this.#stack = below;
    return above;
  }

  #recall(index: number): void {
    if (!this.#memo.has(index)) throw this.#damaged(`nothing was kept as ${index}`);
    this.#push(this.#memo.get(index));
  }

  /** Advances by so many bytes; returns where they start. */
  #take(bytes: number): number {
    const start = this.#at;
    if (start + bytes > this.#bytes.length) throw this.#damaged("it ends too early");
    this.#at += bytes;
    return start;
  }

  #u8(): number {
    return this.#bytes[this.#take(1)];
  }

  /** An unsigned number of 1, 2, 4 or 8 bytes. */
  #length(width: number): number {
    let value = 0;
    for (const [i, byte] of this.#bytes.subarray(this.#take(width), this.#at).entries()) value += byte * 2 ** (8 * i);
    return value;
  }

  /** A signed number of any length; beyond 2^53 it is of no use here, and is not exact. */
  #long(): number {
    const width = this.#u8();
    const bytes = this.#bytes.subarray(this.#take(width), this.#at);
    let value = 0;
    for (const [i, byte] of bytes.entries()) value += byte * 2 ** (8 * i);
    return (bytes.at(-1) ?? 0) >= 0x80 ? value - 2 ** (8 * width) : value;
  }

  #raw(width: number): Uint8Array {
    const length = this.#length(width);
    return this.#bytes.subarray(this.#take(length), this.#at);
  }

  #text(width: number): string {
    return new TextDecoder().decode(this.#raw(width));
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end === -1) throw this.#damaged("it ends too early");
    const line = new TextDecoder().decode(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return line;
  }
}

const STOP = 0x2e;
