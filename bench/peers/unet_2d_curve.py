"""Trains a small UNet2DModel of diffusers on Fashion-MNIST, and writes what another side needs to do the same to a file:
the weights that it starts from, and of each step the images, timesteps, noise and loss.

    python bench/peers/unet_2d_curve.py --images train-images-idx3-ubyte.gz --out steps.safetensors

bench/unet-2d-curve.ts reads it. Needs torch, diffusers and safetensors.
"""

import argparse
import json

import torch
from diffusers import DDPMScheduler, UNet2DModel
from safetensors.torch import save_file

from loss_curve import read_images

BATCH = 16
CONFIG = {
    "sample_size": 28, "in_channels": 1, "out_channels": 1, "block_out_channels": [32, 64, 64], "layers_per_block": 1,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "AttnUpBlock2D", "UpBlock2D"], "norm_num_groups": 8,
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, help="an IDX file of 28x28 images, gzipped or not")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    images = read_images(arguments.images)
    unet = UNet2DModel(**CONFIG)
    tensors = {f"model.{name}": value.clone() for name, value in unet.state_dict().items()}
    scheduler = DDPMScheduler(num_train_timesteps=1000)
    # As examples/unconditional_image_generation/train_unconditional.py of diffusers has it, without its learning rates.
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-3, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    seen, timesteps, noises, losses = [], [], [], []
    for step in range(arguments.steps):
        batch = images[torch.randint(0, len(images), (BATCH,))]
        noise = torch.randn_like(batch)
        t = torch.randint(0, 1000, (BATCH,))
        loss = torch.nn.functional.mse_loss(unet(scheduler.add_noise(batch, noise, t), t).sample, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        seen.append(((batch + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1))
        timesteps.append(t.int())
        noises.append(noise.permute(0, 2, 3, 1))
        print(json.dumps({"step": step + 1, "loss": loss.item()}), flush=True)
    tensors |= {"images": torch.stack(seen), "timesteps": torch.stack(timesteps), "noise": torch.stack(noises).contiguous()}
    tensors |= {"losses": torch.tensor(losses, dtype=torch.float32)}
    save_file(tensors, arguments.out, {"config": json.dumps(CONFIG)})


if __name__ == "__main__":
    main()
