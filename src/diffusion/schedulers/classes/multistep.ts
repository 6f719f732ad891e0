import * as z from "zod/mini";
import { flag, listOf, numberWithin, oneOf, wholeNumber, withDefault } from "../../../config/rules.ts";
import { CLEAN } from "../../process/noise-level.ts";
import type { SamplerSettings } from "../../sampling/sample.ts";
import {
  finalSigmas,
  noFlow,
  only,
  optionalFlag,
  sigmaRange,
  spaced,
  spreadSigmas,
  thresholded,
  trained,
  usualBetaSchedules,
  varianceNames,
  zeroSnr,
} from "../fields.ts";
import type { Spacing } from "../fields.ts";
import { boundsOf, schedulerClass } from "../scheduler-class.ts";
import type { TrainedNoise } from "../scheduler-class.ts";
import { checkSpread, spreadOf } from "../spread.ts";
import type { SpreadConfig } from "../spread.ts";
import {
  interpolated,
  levelOf,
  roundHalfToEven,
  sigmasBetween,
  timestepWithSigma,
  visitedTimesteps,
} from "../visited-levels.ts";
import type { Spread, VisitedSigma } from "../visited-levels.ts";

/** The multistep solvers, which count in log(alpha / sigma), and of which the network is told whole timesteps. */

const shared = () => ({
  ...trained({ schedules: usualBetaSchedules, predictionTypes: ["epsilon", "sample", "v_prediction"] }),
  ...spaced("linspace"),
  ...spreadSigmas(),
  ...thresholded(),
  ...noFlow(),
  solver_order: withDefault(wholeNumber(1, 3), 2),
  lower_order_final: withDefault(flag(), true),
});

/** diffusers takes the solver types of its other solvers for its own usual one. */
const solverTypes = ["midpoint", "heun", "logrho", "bh1", "bh2"] as const;

/** What ends a walk of fewer than this many steps with lower orders. */
const FEW_STEPS = 15;

export const dpmSolverMultistep = () =>
  schedulerClass({
    fields: z.object({
      ...shared(),
      ...sigmaRange(),
      ...finalSigmas(),
      ...zeroSnr(),
      algorithm_type: withDefault(oneOf(["dpmsolver++", "sde-dpmsolver++", "deis"]), "dpmsolver++"),
      solver_type: withDefault(oneOf(solverTypes), "midpoint"),
      euler_at_final: withDefault(flag(), false),
      use_lu_lambdas: optionalFlag(false),
      lambda_min_clipped: withDefault(
        z.union([z.literal(-Infinity), numberWithin(-Number.MAX_VALUE, Number.MAX_VALUE)]),
        -Infinity,
      ),
      // Of the fixed ones, which it has from other classes' files, it makes nothing.
      variance_type: withDefault(z.nullable(oneOf(varianceNames)), null),
    }),
    keepsSignal: true,
    varianceType: ({ variance_type: type }) => (type?.startsWith("learned") ? "learnedRange" : "fixedSmall"),
    check(config) {
      checkSpread(config);
      if (config.algorithm_type !== "deis" || config.final_sigmas_type === "sigma_min") return;
      throw new Error('final_sigmas_type must be "sigma_min" with algorithm_type deis, got "zero"');
    },
    settings: (config, steps, noise) => {
      const { solver_order: order, solver_type: type } = config;
      // lambda = -log(sigma) falls with the timestep.
      const usable = noise.sigmas.filter((sigma) => -Math.log(sigma) >= config.lambda_min_clipped).length;
      const own = spreadOf(config) ?? (config.use_lu_lambdas ? "exponential" : undefined);
      const isSmooth = own !== "karras" && !(own === "exponential" && !config.use_exponential_sigmas);
      const rounds = !isSmooth && config.beta_schedule !== "squaredcos_cap_v2";
      const visited = path(config, steps, noise, { usable, spread: own, rounds });
      const end = config.final_sigmas_type === "zero" ? 0 : noise.sigmas[0];
      const count = visited.length;
      const isShort = config.lower_order_final && count < FEW_STEPS;
      const endsWithEuler = config.final_sigmas_type === "zero" || config.euler_at_final;
      const eta = config.algorithm_type === "sde-dpmsolver++" ? 1 : 0;
      const common = { ...walk(visited, end), ...boundsOf(config) };
      // Of order 1 they are DDIM, with the noise of DDPM or without.
      if (order === 1) return { sampler: "ddim", ...common, eta };
      return {
        sampler: `dpmSolver++${order}M${eta === 1 ? "Sde" : ""}`,
        ...common,
        solverType: type === "heun" ? "heun" : "midpoint",
        finalOrders: isShort ? [2, 1] : endsWithEuler ? [1] : [],
        ...(order === 3 && { halfCurvature: true }),
      };
    },
  });

export const uniPCMultistep = () =>
  schedulerClass({
    fields: z.object({
      ...shared(),
      sigma_min: withDefault(sigmaRange().sigma_min, null),
      sigma_max: withDefault(sigmaRange().sigma_max, null),
      ...finalSigmas(),
      ...zeroSnr(),
      predict_x0: withDefault(flag(), true),
      solver_type: withDefault(oneOf(solverTypes), "bh2"),
      disable_corrector: withDefault(listOf(wholeNumber(0)), []),
      solver_p: only(null),
      shift_terminal: only(null),
    }),
    keepsSignal: true,
    check: checkSpread,
    settings: (config, steps, noise) => {
      const visited = path(config, steps, noise, {
        spread: spreadOf(config),
        rounds: Boolean(config.use_karras_sigmas),
      });
      const last = visited[visited.length - 1].sigma;
      const end = config.final_sigmas_type === "zero" ? 0 : spreadOf(config) ? last : noise.sigmas[0];
      return {
        sampler: "uniPC",
        ...walk(visited, end),
        // It keeps no bounds where it predicts the noise.
        ...boundsOf(config.predict_x0 ? config : {}),
        order: config.solver_order,
        bh: config.solver_type === "bh1" ? "bh1" : "bh2",
        predictsX0: config.predict_x0,
        uncorrected: config.disable_corrector,
        finalOrders: config.lower_order_final ? [2, 1] : [],
      };
    },
  });

export const deisMultistep = () =>
  schedulerClass({
    fields: z.object({
      ...shared(),
      ...sigmaRange(),
      algorithm_type: withDefault(oneOf(["deis", "dpmsolver", "dpmsolver++"]), "deis"),
      solver_type: withDefault(oneOf(solverTypes), "logrho"),
    }),
    keepsSignal: false,
    check: checkSpread,
    settings: (config, steps, noise) => {
      const visited = path(config, steps, noise, {
        spread: spreadOf(config),
        rounds: Boolean(config.use_karras_sigmas),
      });
      const end = spreadOf(config) ? visited[visited.length - 1].sigma : noise.sigmas[0];
      return {
        sampler: "deis",
        ...walk(visited, end),
        ...boundsOf(config),
        order: config.solver_order,
        finalOrders: config.lower_order_final && visited.length < FEW_STEPS ? [2, 1] : [],
      };
    },
  });

interface MultistepConfig extends SpreadConfig {
  readonly num_train_timesteps: number;
  readonly timestep_spacing: Spacing;
  readonly steps_offset: number;
}

interface PathOptions {
  /** Timesteps that may be visited; default all. */
  readonly usable?: number;
  readonly spread: Spread | undefined;
  /** Whether timesteps of spread noise levels are rounded, or else cut. */
  readonly rounds: boolean;
}

/** The noise levels of timesteps at equal distances, or others between the most and the least noise of the training. */
function path(
  config: MultistepConfig,
  steps: number,
  { sigmas }: TrainedNoise,
  { usable, spread, rounds }: PathOptions,
): VisitedSigma[] {
  const { timestep_spacing: spacing, steps_offset: offset, num_train_timesteps: timesteps } = config;
  if (spread) {
    const [most, least] = [config.sigma_max ?? sigmas[timesteps - 1], config.sigma_min ?? sigmas[0]];
    return sigmasBetween(spread, steps, most, least).map((sigma) => {
      const timestep = timestepWithSigma(sigmas, sigma);
      return { timestep: rounds ? roundHalfToEven(timestep) : Math.floor(timestep), sigma };
    });
  }
  const visited = visitedTimesteps({
    spacing,
    steps,
    timesteps,
    offset,
    leavesOutLast: true,
    ...(usable !== undefined && { usable }),
  });
  const again = visited.findIndex((t, i) => t === visited[i - 1]);
  if (again !== -1) throw new Error(`steps must be few enough to visit no timestep twice, got ${steps}`);
  return visited.map((timestep) => ({ timestep, sigma: interpolated(sigmas, timestep) }));
}

function walk(visited: readonly VisitedSigma[], end: number): SamplerSettings {
  return { levels: [...visited.map(levelOf), end === 0 ? CLEAN : levelOf({ timestep: 0, sigma: end })] };
}
