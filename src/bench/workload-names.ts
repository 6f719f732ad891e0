export const workloadNames = ["train", "forward", "sampling"] as const;
/** What is timed, all of it with the U-Net of "The Annotated Diffusion Model" on 28 x 28 gray images. */
export type WorkloadName = (typeof workloadNames)[number];
