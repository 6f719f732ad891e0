export const workloadNames = ["train", "forward", "sampling"] as const;
/** What is timed, with a network of one of the sizes. */
export type WorkloadName = (typeof workloadNames)[number];
