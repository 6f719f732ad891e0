"""Trains the article's U-Net by its recipe in PyTorch. A directory gets the loss of every step, and samples at the end:

    python bench/peers/loss_curve.py --images train-images-idx3-ubyte.gz --steps 2808 --samples 256 --out runs/pytorch

The same command goes on from the last checkpoint, after Ctrl-C too; bench/loss-curve.ts draws the losses.
"""

import argparse
import gzip
import json
import os
import time
from pathlib import Path

import numpy as np
import torch

from unet import Diffusion, Unet

SAVE_EVERY = 50


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True, help="an IDX file of 28x28 images, gzipped or not")
    parser.add_argument("--steps", type=int, required=True, help="those already done included; an epoch has 468 of 128")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weight-standardization", choices=("printed", "standardized"), default="printed")
    parser.add_argument("--samples", type=int, default=0, help="images to draw afterwards by Algorithm 2")
    parser.add_argument("--out", type=Path, required=True, help="gets metrics.jsonl, checkpoint.pt and samples.idx")
    return parser.parse_args()


def read_images(path):
    """An IDX file as floats in [-1, 1], [count, 1, height, width]."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:4] != b"\x00\x00\x08\x03":
        raise ValueError(f"{path}: not an IDX file of gray images")
    count, height, width = (int.from_bytes(data[at : at + 4], "big") for at in (4, 8, 12))
    pixels = np.frombuffer(data, np.uint8, offset=16).reshape(count, 1, height, width)
    return torch.from_numpy(pixels.astype(np.float32) / 255 * 2 - 1)


class Run:
    """A model in training, and all that decides what its next step is."""

    def __init__(self, arguments):
        torch.manual_seed(arguments.seed)
        self.batch = arguments.batch
        self.images = read_images(arguments.images)
        # This layout is the faster one on processors.
        self.unet = Unet(weight_standardization=arguments.weight_standardization).to(memory_format=torch.channels_last)
        self.diffusion = Diffusion()
        self.optimizer = torch.optim.Adam(self.unet.parameters(), lr=1e-3)
        self.order = None
        self.losses = []

    def next_batch(self):
        """Whole batches, shuffled anew in every epoch, each image mirrored with probability 1/2."""
        place = len(self.losses) % (len(self.images) // self.batch)
        if place == 0:
            self.order = torch.randperm(len(self.images))
        batch = self.images[self.order[place * self.batch : (place + 1) * self.batch]]
        return torch.where(torch.rand(self.batch, 1, 1, 1) < 0.5, batch.flip(3), batch)

    def step(self):
        batch = self.next_batch()
        t = torch.randint(0, self.diffusion.timesteps, (len(batch),))
        self.optimizer.zero_grad()
        loss = self.diffusion.loss(self.unet, batch, t, torch.randn_like(batch))
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())

    def save(self, directory):
        state = {
            "unet": self.unet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order,
            "losses": self.losses,
            "random": torch.get_rng_state(),
        }
        torch.save(state, directory / "checkpoint.pt.tmp")
        lines = (json.dumps({"step": i + 1, "loss": loss}) + "\n" for i, loss in enumerate(self.losses))
        (directory / "metrics.jsonl.tmp").write_text("".join(lines))
        for name in ("checkpoint.pt", "metrics.jsonl"):
            os.replace(directory / f"{name}.tmp", directory / name)

    def load(self, file):
        state = torch.load(file, weights_only=True)
        self.unet.load_state_dict(state["unet"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.order = state["order"]
        self.losses = state["losses"]
        torch.set_rng_state(state["random"])


@torch.no_grad()
def draw(unet, diffusion, count, size, width=64):
    """Samples as bytes [count, height, width]; values beyond [-1, 1] are clipped at the end."""
    parts = []
    while (left := count - sum(map(len, parts))) > 0:
        x = torch.randn(min(width, left), 1, *size)
        for t in reversed(range(diffusion.timesteps)):
            x = diffusion.step(unet, x, t, torch.randn_like(x))
        parts.append(((x[:, 0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8))
    return torch.cat(parts).numpy()


def write_images(path, images):
    """Bytes [count, height, width] as an IDX file."""
    with open(path, "wb") as file:
        file.write(b"\x00\x00\x08\x03" + b"".join(size.to_bytes(4, "big") for size in images.shape))
        file.write(images.tobytes())


def main():
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    run = Run(arguments)
    checkpoint = arguments.out / "checkpoint.pt"
    if checkpoint.exists():
        run.load(checkpoint)
        print(f"goes on at step {len(run.losses) + 1}", flush=True)
    start, first = time.monotonic(), len(run.losses)
    try:
        while len(run.losses) < arguments.steps:
            run.step()
            done = len(run.losses)
            if done % SAVE_EVERY == 0 or done == arguments.steps:
                run.save(arguments.out)
                mean = sum(run.losses[-SAVE_EVERY:]) / min(SAVE_EVERY, done)
                seconds = (time.monotonic() - start) / (done - first)
                print(f"step {done} of {arguments.steps}, mean loss {mean:.4f}, {seconds:.2f} s a step", flush=True)
    except KeyboardInterrupt:
        raise SystemExit(f"stopped; the same command goes on from the last {SAVE_EVERY} steps")
    if arguments.samples > 0:
        size = run.images.shape[2:]
        write_images(arguments.out / "samples.idx", draw(run.unet, run.diffusion, arguments.samples, size))


if __name__ == "__main__":
    main()
