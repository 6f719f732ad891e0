import {
  br,
  br_if,
  call,
  call_indirect,
  drop,
  global,
  local,
  leave,
  unreachable,
} from "../assembly/control-instructions.ts";
import { FunctionBuilder } from "../assembly/function-builder.ts";
import type { FunctionDefinition } from "../assembly/function-builder.ts";
import { i32, memory } from "../assembly/scalar-instructions.ts";
import type { Integer, Value } from "../assembly/instruction.ts";
import { ARRIVALS, SCRATCH, TICK } from "../emit/module-interface.ts";
import { KERNEL_TYPE } from "../kernels/kernel-builder.ts";
import { ABORT_ADDRESS, BARRIER_ADDRESS, PROGRESS_ADDRESS } from "./address-space.ts";
import { HEAD_WORDS, HeadWord, KERNEL_WORDS, KernelWord, OPERAND_WORDS, OperandWord } from "./kernel-table.ts";

/** Checks of a barrier before a thread sleeps: some microseconds. */
const SPINS = 20_000;
/** Nanoseconds that a thread sleeps at a time: it wakes up to fail if another one failed. */
const SLEEP = 100_000_000;

/** A word of the table of kernels. */
const word = (address: Integer, at: number): Value<"i32"> => i32.load(address, 4 * at);

/** Takes one more of a step's tasks or slices; gives its number. */
function takeFunction(shared: boolean): FunctionDefinition<"i32"> {
  const code = new FunctionBuilder();
  const step = code.parameter("step", "i32");
  const offset = 4 * HeadWord.taken;
  if (shared) return code.finish("take", i32.atomic.rmw.add(step, 1, offset));
  const taken = code.keep(i32.load(step, offset));
  code.emit(i32.store(step, i32.add(taken, 1), offset));
  return code.finish("take", taken);
}

/**
 * Where all threads meet. Each counts in a global of its own, over all its programs, how many arrivals there have been
 * when all are here. Spins for some microseconds, then sleeps; wakes up to fail if another thread failed.
 */
function barrierFunction(shared: boolean): FunctionDefinition<undefined> {
  const code = new FunctionBuilder();
  const threads = code.parameter("threads", "i32");
  if (!shared) return code.finish("barrier");
  const arrived = code.local("i32");
  const spins = code.local("i32");
  code.when(i32.eq(threads, 1), () => code.emit(leave()));
  code.emit(global.set(ARRIVALS, i32.add(global.get(ARRIVALS), threads)));
  const arrivedNow = i32.add(i32.atomic.rmw.add(BARRIER_ADDRESS, 1), 1);
  code.when(i32.eq(arrivedNow, global.get(ARRIVALS)), () => {
    code.emit(drop(memory.atomic.notify(BARRIER_ADDRESS, -1)));
    code.emit(leave());
  });
  code.set(spins, SPINS);
  code.loop((wait) => {
    code.set(arrived, i32.atomic.load(BARRIER_ADDRESS));
    code.when(i32.ge_s(i32.sub(arrived, global.get(ARRIVALS)), 0), () => code.emit(leave()));
    code.when(i32.atomic.load(ABORT_ADDRESS), () => code.emit(unreachable()));
    code.when(
      spins,
      () => code.set(spins, i32.sub(spins, 1)),
      () => code.emit(drop(memory.atomic.wait32(BARRIER_ADDRESS, arrived, SLEEP))),
    );
    code.emit(br(wait));
  });
  return code.finish("barrier");
}

/** Tells whoever waits outside that all steps before one have run: what they wrote is in memory. */
function tellFunction(): FunctionDefinition<undefined> {
  const code = new FunctionBuilder();
  const step = code.parameter("step", "i32");
  code.emit(i32.atomic.store(PROGRESS_ADDRESS, step));
  code.emit(drop(memory.atomic.notify(PROGRESS_ADDRESS, -1)));
  return code.finish("tell");
}

/** Puts the addresses of a kernel's operands where the kernel finds them: those of a slice. */
function placeFunction(operands: Value<"i32">): FunctionDefinition<undefined> {
  const code = new FunctionBuilder();
  const kernel = code.parameter("kernel", "i32");
  const slice = code.parameter("slice", "i32");
  const [from, to, end] = [code.local("i32"), code.local("i32"), code.local("i32")];
  code.set(from, word(kernel, KernelWord.operands));
  code.set(end, i32.add(from, i32.mul(word(kernel, KernelWord.operandCount), 4 * OPERAND_WORDS)));
  code.set(to, operands);
  code.block((done) =>
    code.loop((next) => {
      code.emit(br_if(done, i32.ge_u(from, end)));
      const ofSlice = i32.mul(word(from, OperandWord.step), slice);
      const ofThread = i32.mul(word(from, OperandWord.isOwn), global.get(SCRATCH));
      code.emit(i32.store(to, i32.add(word(from, OperandWord.address), i32.add(ofSlice, ofThread))));
      code.increase(from, 4 * OPERAND_WORDS);
      code.increase(to, 4);
      code.emit(br(next));
    }),
  );
  return code.finish("place");
}

/** Runs a chain's kernels on one slice, all tasks of each. */
function sliceFunction(operands: Value<"i32">, place: FunctionDefinition<undefined>): FunctionDefinition<undefined> {
  const code = new FunctionBuilder();
  const kernel = code.parameter("kernel", "i32");
  const end = code.parameter("end", "i32");
  const slice = code.parameter("slice", "i32");
  const timed = code.parameter("timed", "i32");
  const task = code.local("i32");
  code.loop((next) => {
    code.emit(call(place, kernel, slice));
    code.set(task, 0);
    code.loop((tasks) => {
      code.emit(call_indirect(KERNEL_TYPE, word(kernel, KernelWord.function), task, operands));
      code.emit(br_if(tasks, i32.lt_u(local.tee(task, i32.add(task, 1)), word(kernel, KernelWord.tasks))));
    });
    code.when(timed, () => code.emit(call(TICK, kernel)));
    code.emit(br_if(next, i32.lt_u(local.tee(kernel, i32.add(kernel, 4 * KERNEL_WORDS)), end)));
  });
  return code.finish("slice");
}

/** What a thread gives to a program's `run`: who it is, where memory is, and which part of the table to walk through. */
export const RUN_PARAMETERS = ["thread", "threads", "scratches", "step", "end", "timed"] as const;

export interface RunLayout {
  /** Bytes of each thread's own memory. */
  readonly scratchBytes: number;
  /** Where in it the addresses of a kernel's operands are put. */
  readonly operandsAt: number;
  /** Whether threads share the memory; else there is one, and nothing atomic is needed. */
  readonly shared: boolean;
}

/**
 * `run` walks through the steps of a table from an address to another. Every thread takes tasks of a kernel, or slices of a
 * chain, until none is left, and waits for the others where the next step depends on it; the first one tells those outside
 * where it is asked to. With `timed`, it tells TICK after each kernel of a slice.
 */
export function runFunction({ scratchBytes, operandsAt, shared }: RunLayout): FunctionDefinition<undefined> {
  const operands = i32.add(global.get(SCRATCH), operandsAt);
  const take = takeFunction(shared);
  const barrier = barrierFunction(shared);
  const tell = tellFunction();
  const place = placeFunction(operands);
  const runSlice = sliceFunction(operands, place);
  const code = new FunctionBuilder();
  const [thread, threads, scratches, step, end, timed] = RUN_PARAMETERS.map((name) => code.parameter(name, "i32"));
  const [kernel, task, next] = [code.local("i32"), code.local("i32"), code.local("i32")];
  /** Takes tasks or slices, as many as there are together. */
  const takeAll = (count: Value<"i32">, work: () => void): void =>
    code.block((done) =>
      code.loop((more) => {
        code.emit(br_if(done, i32.ge_u(local.tee(task, call(take, step)), count)));
        work();
        code.emit(br(more));
      }),
    );
  code.emit(global.set(SCRATCH, i32.add(scratches, i32.mul(thread, scratchBytes))));
  code.block((finished) =>
    code.loop((steps) => {
      code.emit(br_if(finished, i32.ge_u(step, end)));
      code.when(word(step, HeadWord.waits), () => {
        code.emit(call(barrier, threads));
        if (!shared) return;
        const tells = i32.gt_u(word(step, HeadWord.waits), 1);
        code.when(i32.and(tells, i32.eqz(thread)), () => code.emit(call(tell, step)));
      });
      code.set(kernel, i32.add(step, 4 * HEAD_WORDS));
      code.set(next, i32.add(kernel, i32.mul(word(step, HeadWord.kernels), 4 * KERNEL_WORDS)));
      code.when(
        word(step, HeadWord.slices),
        () => takeAll(word(step, HeadWord.slices), () => code.emit(call(runSlice, kernel, next, task, timed))),
        () => {
          code.emit(call(place, kernel, 0));
          takeAll(word(kernel, KernelWord.tasks), () =>
            code.emit(call_indirect(KERNEL_TYPE, word(kernel, KernelWord.function), task, operands)),
          );
        },
      );
      code.set(step, next);
      code.emit(br(steps));
    }),
  );
  code.emit(call(barrier, threads));
  return code.finish("run");
}
