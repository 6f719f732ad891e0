import type { Betas } from "../process/schedules.ts";
import type { TrainedBetaSchedule } from "./fields.ts";

/** Rounds as the arithmetic of a precision does. */
export type Rounding = (value: number) => number;

/** The fields that say which noise a network was trained with. */
export interface TrainedWith {
  readonly num_train_timesteps: number;
  readonly beta_start: number;
  readonly beta_end: number;
  readonly beta_schedule: string;
  readonly trained_betas: readonly number[] | null;
  readonly rescale_betas_zero_snr?: boolean | undefined;
}

/**
 * abar of every timestep as PyTorch computes it: with `Math.fround`, in float32, whose last digit moves the first timesteps'
 * noise by a thousandth.
 *
 * @throws one line, if there are not as many betas as timesteps
 */
export function trainedAlphasCumprod(config: TrainedWith, round: Rounding): Betas {
  const betas = trainedBetas(config, round);
  const alphas = betas.map((beta) => round(1 - beta));
  const abar = cumulativeProduct(alphas, round);
  if (!config.rescale_betas_zero_snr) return abar;
  return cumulativeProduct(withoutTerminalSignal(abar, round), round);
}

function trainedBetas(config: TrainedWith, round: Rounding): Betas {
  const { num_train_timesteps: count, trained_betas: given, beta_start: start, beta_end: end } = config;
  if (given) {
    if (given.length === count) return Float64Array.from(given, round);
    throw new Error(`trained_betas must be as many as num_train_timesteps, ${count}, got ${given.length}`);
  }
  switch (config.beta_schedule as TrainedBetaSchedule) {
    case "linear":
      return linspace(start, end, count, round);
    case "scaled_linear":
      return linspace(start ** 0.5, end ** 0.5, count, round).map((root) => round(root * root));
    case "sigmoid":
      return linspace(-6, 6, count, round).map((place) =>
        round(round(round(1 / (1 + Math.exp(-place))) * round(end - start)) + round(start)),
      );
    case "squaredcos_cap_v2":
      return betasFor(count, (t) => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2, round);
    case "laplace":
      return betasFor(count, laplaceAlphaBar, round);
    case "exp":
      return betasFor(count, (t) => Math.exp(-12 * t), round);
  }
}

/** Betas that leave abar(t / T) of the image, but are at most 0.999; computed in float64. */
function betasFor(count: number, abar: (share: number) => number, round: Rounding): Betas {
  return Float64Array.from({ length: count }, (_, t) =>
    round(Math.min(1 - abar((t + 1) / count) / abar(t / count), 0.999)),
  );
}

/** diffusers' reading of Hang et al. (2024, 2407.03297): the square root of what our `laplace` takes, and kept from infinity. */
function laplaceAlphaBar(t: number): number {
  const sign = 0.5 - t < 0 ? -1 : 1;
  const snr = Math.exp(-0.5 * sign * Math.log(1 - 2 * Math.abs(0.5 - t) + 1e-6));
  return Math.sqrt(snr / (1 + snr));
}

/** `torch.linspace`: each half counts from its own end, with one rounding a value. */
function linspace(start: number, end: number, count: number, round: Rounding): Betas {
  const [first, last] = [round(start), round(end)];
  const step = round(round(last - first) / Math.max(1, count - 1));
  return Float64Array.from({ length: count }, (_, i) =>
    i < Math.floor(count / 2) || count === 1 ? round(first + step * i) : round(last - step * (count - 1 - i)),
  );
}

/** `torch.cumprod`, which accumulates in float64. */
function cumulativeProduct(values: Betas, round: Rounding): Betas {
  let product = 1;
  return values.map((value) => round((product *= value)));
}

/** The alphas after Algorithm 1 of Lin et al. (2023, 2305.08891). */
function withoutTerminalSignal(abar: Betas, round: Rounding): Betas {
  const roots = abar.map((value) => round(Math.sqrt(value)));
  const [first, last] = [roots[0], roots[roots.length - 1]];
  const factor = round(first / round(first - last));
  const rescaled = roots.map((root) => round(round(root - last) * factor)).map((root) => round(root * root));
  return rescaled.map((value, t) => {
    const alpha = t === 0 ? value : round(value / rescaled[t - 1]);
    // alphas become betas and alphas again.
    return round(1 - round(1 - alpha));
  });
}
