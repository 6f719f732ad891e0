import { execFile } from "node:child_process";
import { mkdir, readFile, readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { readCheckpoint } from "../../src/checkpoint/run-directory.node.ts";
import { commandEnvironment, commandPath } from "../support/command.ts";
import { Workspace } from "../support/workspace.ts";
import { mpirun, mpis } from "./installation.ts";
import type { Ended, Mpi } from "./installation.ts";

// Each starts processes of their own, which wait for each other.
vi.setConfig({ testTimeout: 180_000 });

const workspace = new Workspace("mpi");
const program = fileURLToPath(new URL("./train-together.ts", import.meta.url));
const script = (...words: readonly string[]) => [process.execPath, "--disable-warning=ExperimentalWarning", ...words];
const bytesOf = (run: string, step = 20) => readFile(workspace.file(run, "checkpoints", `step-${step}.safetensors`));

type Skip = (reason: string) => never;

async function mpiOr(skip: Skip, name: keyof typeof mpis): Promise<Mpi> {
  const installed = await mpis[name]();
  return "mpi" in installed ? installed.mpi : skip(installed.reason);
}

/** Trains to the end or to the fault. */
const train = (mpi: Mpi, size: number, run: string, fault = "none"): Promise<Ended> =>
  mpirun(mpi, size, script(program, workspace.file(run), fault), commandEnvironment(workspace.path));

const runs = new Map<string, Promise<string>>();
/** What two processes say that train to their end; they do it once. */
function undisturbed(mpi: Mpi, name: string): Promise<string> {
  const run = runs.get(name) ?? train(mpi, 2, name).then(({ code, output }) => `code ${code}\n${output}`);
  runs.set(name, run);
  return run;
}

let single: Promise<unknown> | undefined;
/** What one process trains. */
async function reference() {
  single ??= (async () => {
    const [node, ...words] = script(program, workspace.file("one"), "alone");
    await promisify(execFile)(node, words, { env: commandEnvironment(workspace.path) });
  })();
  await single;
  return readCheckpoint(workspace.file("one", "checkpoints", "step-20.safetensors"));
}

async function distanceFromSingle(run: string): Promise<number> {
  const [one, other] = [
    await reference(),
    await readCheckpoint(workspace.file(run, "checkpoints", "step-20.safetensors")),
  ];
  let [difference, norm] = [0, 0];
  for (const [name, { data }] of one.model) {
    data.forEach((x, i) => {
      difference += (x - (other.model.get(name)?.data[i] ?? NaN)) ** 2;
      norm += x ** 2;
    });
  }
  return Math.sqrt(difference / norm);
}

describe.each(Object.keys(mpis) as (keyof typeof mpis)[])("with %s", (name) => {
  test("two processes train what one does", async ({ skip }) => {
    const mpi = await mpiOr(skip, name);
    expect(await undisturbed(mpi, name)).toMatch(/^done 20$/m);
    expect(await distanceFromSingle(name)).toBeLessThan(1e-6);
  });
});

test("four processes train what one does", async ({ skip }) => {
  const mpi = await mpiOr(skip, "Open MPI 5");
  expect((await train(mpi, 4, "four")).code).toBe(0);
  expect(await distanceFromSingle("four")).toBeLessThan(1e-6);
});

describe("where one process fails, all end within seconds", () => {
  const cases: [fault: string, code: number, line: RegExp][] = [
    ["kill", 137, /rank 1 .*Killed|signal 9/s],
    ["abort", 7, /MPI_ABORT was invoked on rank 1/],
    ["data", 1, /^unnoise: rank 1 on \S+: 7\.png: broken$/m],
    ["hang", 4, /^unnoise: rank 0 on \S+: another process has not come for 3 s; all end$/m],
  ];
  test.for(cases)(
    "%s: with code %i, in one line, and the last checkpoint stands",
    async ([fault, code, line], { skip }) => {
      const mpi = await mpiOr(skip, "Open MPI 5");
      const ended = await train(mpi, 2, fault, fault);
      expect(ended.output).toMatch(line);
      expect(ended.output.match(/^unnoise: /gm)?.length ?? 0).toBe(fault === "kill" || fault === "abort" ? 0 : 1);
      expect(ended.code).toBe(code);
      expect(await readdir(workspace.file(fault, "checkpoints"))).toEqual([
        "step-10.safetensors",
        "step-5.safetensors",
      ]);
      if (fault !== "kill") return;
      await train(mpi, 2, fault);
      await undisturbed(mpi, mpi.name);
      expect(await bytesOf(fault)).toEqual(await bytesOf(mpi.name));
    },
  );
});

describe("the command line", () => {
  const tiny =
    "train --data ramps-idx3-ubyte --dim 8 --dim-mults 1 --batch-size 4 --timesteps 20 --samples 2 --device wasm";
  const unnoise = (mpi: Mpi, line: string, environment: NodeJS.ProcessEnv = {}, before: readonly string[] = []) =>
    mpirun(mpi, 2, [...before, ...script(commandPath, ...line.split(" "))], {
      ...commandEnvironment(workspace.path),
      ...environment,
    });

  test("trains and draws in two processes, of which one speaks", async ({ skip }) => {
    const mpi = await mpiOr(skip, "Open MPI 5");
    const out = workspace.file("cli");
    const line = `${tiny.replace("ramps-idx3-ubyte", workspace.file("ramps-idx3-ubyte"))} --steps 2 --out ${out}`;
    const trained = await unnoise(mpi, line);
    expect(trained).toMatchObject({ code: 0 });
    expect(trained.output.match(/^ranks .*2 processes by Open MPI v5.0.11/gm)).toHaveLength(1);
    expect(trained.output.match(/^device /gm)).toHaveLength(1);
    const pictures = [workspace.file("two.png"), workspace.file("one.png")];
    const draw = `sample --checkpoint ${out} -n 6 --steps 2 --seed 3 --device wasm --out`;
    expect(await unnoise(mpi, `${draw} ${pictures[0]}`)).toMatchObject({ code: 0 });
    expect((await workspace.unnoise(`${draw} ${pictures[1]}`)).code).toBe(0);
    expect(await workspace.pixels("two.png")).toEqual(await workspace.pixels("one.png"));
  });

  test("says in one line what is wrong where the library is not the launcher's, or there is none", async ({ skip }) => {
    const mpi = await mpiOr(skip, "MPICH 5");
    const { mpi: other } = (await mpis["Open MPI 5"]()) as { mpi?: Mpi };
    if (other === undefined) return skip("there is no second MPI");
    const library = other.mpirun[0].replace("bin/mpirun", "lib/libmpi.so.40");
    const wrong = await unnoise(mpi, `${tiny} --steps 1 --out ${workspace.file("wrong")}`, { UNNOISE_MPI: library });
    expect(wrong.output).toMatch(
      /^unnoise: MPI: mpirun \(MPICH\) has started 2 processes, but by .* there are 1: set/m,
    );
    expect(wrong.output.match(/^unnoise: /gm)).toHaveLength(1);
    const none = await unnoise(mpi, `${tiny} --steps 1`, { UNNOISE_MPI: "/nowhere/libmpi.so" });
    expect(none.output).toMatch(
      /^unnoise: MPI: no library to be found, tried \/nowhere\/libmpi.so .*: set UNNOISE_MPI/m,
    );
    expect(none.output.match(/^unnoise: /gm)).toHaveLength(1);
    const single = await unnoise(mpi, "info");
    expect(single.output.trim()).toMatch(/^unnoise: info runs in one process: mpirun \(MPICH\) has started 2$/m);
    for (const { code } of [wrong, none, single]) expect(code).toBe(1);
  });

  test("ends all where the disk of the first process is full, in one line", async ({ skip }) => {
    const mpi = await mpiOr(skip, "Open MPI 5");
    await mkdir(workspace.file("full"), { recursive: true });
    const data = workspace.file("ramps-idx3-ubyte");
    const line = `${tiny.replace("ramps-idx3-ubyte", data)} --steps 4 --save-every 2 --out ${workspace.file("full")}`;
    // No file may be longer than 20 blocks of 512 or 1024 bytes: config.json fits, a checkpoint does not.
    const ended = await unnoise(mpi, line, { OMPI_MCA_btl: "tcp,self", OMPI_MCA_pml: "ob1" }, [
      "sh",
      "-c",
      'ulimit -f 20; exec "$0" "$@"',
    ]);
    expect(ended.output).toMatch(/^unnoise: .*step-2\.safetensors.*$/m);
    expect(ended.output.match(/^unnoise: /gm)).toHaveLength(1);
    expect(ended.code).toBe(1);
  });
});
