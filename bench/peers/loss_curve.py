"""Trains the article's U-Net by its recipe, prints the loss of every step as a line of JSON, and draws samples."""

import argparse
import gzip
import json

import numpy as np
import torch

from unet import Diffusion, Unet


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="an IDX file of 28x28 images, gzipped or not")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=0, help="images to draw afterwards by Algorithm 2")
    parser.add_argument("--out", help="where the samples go, an IDX file")
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


def batches(images, size):
    """Whole batches without end, shuffled anew in every epoch, each image mirrored with probability 1/2."""
    while True:
        for part in torch.randperm(len(images)).split(size):
            if len(part) < size:
                continue
            batch = images[part]
            mirrored = torch.rand(size, 1, 1, 1) < 0.5
            yield torch.where(mirrored, batch.flip(3), batch)


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
    torch.manual_seed(arguments.seed)
    unet = Unet()
    diffusion = Diffusion()
    optimizer = torch.optim.Adam(unet.parameters(), lr=1e-3)
    images = read_images(arguments.images)
    source = batches(images, arguments.batch)
    for step in range(1, arguments.steps + 1):
        batch = next(source)
        t = torch.randint(0, diffusion.timesteps, (len(batch),))
        optimizer.zero_grad()
        loss = diffusion.loss(unet, batch, t, torch.randn_like(batch))
        loss.backward()
        optimizer.step()
        print(json.dumps({"step": step, "loss": loss.item()}), flush=True)
    if arguments.samples > 0:
        write_images(arguments.out, draw(unet, diffusion, arguments.samples, images.shape[2:]))


if __name__ == "__main__":
    main()
