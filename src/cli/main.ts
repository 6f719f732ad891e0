#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { keepCode } from "./caches/code-cache.ts";
import { commands } from "./commands.ts";
import { EXIT_FAILURE, report } from "./failure.ts";
import { acceptAliases } from "./flags/aliases.ts";
import { printable } from "./output/printable.ts";
import { launcher, leaveRanks, speaks, turnToFail, whoFails } from "./ranks/ranks.ts";
import { packageVersion } from "./package.ts";

const EXIT_USAGE = 2;

const EPILOGUE = `
Start here:
  $ unnoise train                     train on Fashion-MNIST, then draw 64 garments
  $ unnoise sample -n 16 --gif        draw from the latest run

Every command explains itself: unnoise train --help`;

async function run(argv: readonly string[]): Promise<number> {
  try {
    const { program, words } = await buildProgram(argv);
    await program.parseAsync(words, { from: "user" });
    const code = Number(process.exitCode ?? 0);
    await leaveRanks(code, false);
    return code;
  } catch (error) {
    // Commander has said on stderr what is wrong with the command line.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    const code = (await turnToFail()) ? report(error, whoFails()) : EXIT_FAILURE;
    await leaveRanks(code, true);
    return code;
  }
}

/** Only the command that is asked for is loaded, so that help comes at once. */
async function buildProgram(argv: readonly string[]): Promise<{ program: Command; words: readonly string[] }> {
  const program = configure(new Command("unnoise"))
    .description("Train diffusion models and draw images with them, on the processor you have.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "explain the command line")
    .addHelpText("after", EPILOGUE);
  let words = argv;
  keepCode();
  const wanted = argv[0] === "help" ? argv[1] : argv[0];
  for (const { name, summary, load, isShared = false } of commands) {
    if (name === wanted && launcher !== undefined && !isShared) {
      throw new Error(`${name} runs in one process: ${launcher.name} has started ${launcher.size}`);
    }
    const command = name === wanted ? await load() : new Command(name);
    if (name === wanted) words = acceptAliases(command)(argv);
    configure(command).summary(summary).helpOption("-h, --help", "explain this command");
    program.addCommand(command);
  }
  return { program, words };
}

function configure(command: Command): Command {
  return command
    .exitOverride()
    .showHelpAfterError(false)
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 100, 100) })
    .configureOutput({
      writeOut: (text) => void (speaks && process.stdout.write(text)),
      outputError: (text, write) => {
        if (!speaks) return;
        const line = text
          .replace(/^error: /, "")
          .trim()
          .replaceAll("\n", " ")
          .replace(/\.$/, "");
        write(
          `unnoise: ${printable(line)} (unnoise ${command.name() === "unnoise" ? "" : `${command.name()} `}--help explains)\n`,
        );
      },
    });
}

// A reader that closes the pipe early, such as head, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : report(error)));
process.on("uncaughtException", (error) => process.exit(report(error, whoFails())));

process.exitCode = await run(process.argv.slice(2));
