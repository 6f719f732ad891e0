"""diffusers' UNet2DModel as a module from images and timesteps to images."""

import re

import torch
from torch import nn


class Unet2d(nn.Module):
    def __init__(self, fields):
        super().__init__()
        from diffusers import UNet2DModel

        self.inner = UNet2DModel(**fields)

    def forward(self, x, t):
        return self.inner(x, t, return_dict=False)[0]


def make_unet_2d(options):
    """Takes options as a checkpoint of ours has them: diffusers' in camelCase, and channels."""
    fields = {re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name): value for name, value in options.items()}
    channels = fields.pop("channels")
    return Unet2d({**fields, "in_channels": channels, "out_channels": channels})


def load_weights(unet, weights):
    """Takes arrays under diffusers' names."""
    unet.inner.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
