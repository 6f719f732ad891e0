"""The U-Net of "The Annotated Diffusion Model" and its diffusion, in PyTorch, written for these benches.

Images are NCHW. Weight standardisation follows Qiao et al. (2019, 1903.10520) or, as "printed", the article's code.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

HEADS = 4
HEAD_WIDTH = 32
GROUPS = 4


class TimeEmbedding(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        half = width // 2
        rates = torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
        self.register_buffer("rates", rates, persistent=False)
        self.hidden = nn.Linear(width, out)
        self.out = nn.Linear(out, out)

    def forward(self, t):
        angles = t[:, None] * self.rates[None, :]
        waves = torch.cat((angles.sin(), angles.cos()), dim=1)
        return self.out(F.gelu(self.hidden(waves)))


class StandardizedConv(nn.Conv2d):
    """Filters of mean 0 and variance 1, or "printed": multiplied by the deviation where they should be divided by it."""

    printed = False

    def forward(self, x):
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True, correction=0)
        scale = torch.sqrt(variance + 1e-5) if self.printed else torch.rsqrt(variance + 1e-5)
        weight = (self.weight - mean) * scale
        return F.conv2d(x, weight, self.bias, padding=self.padding)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each with group norm and SiLU; time scales and shifts after the first norm."""

    def __init__(self, inside, outside, time):
        super().__init__()
        self.time = nn.Linear(time, 2 * outside)
        self.conv1 = StandardizedConv(inside, outside, 3, padding=1)
        self.norm1 = nn.GroupNorm(GROUPS, outside)
        self.conv2 = StandardizedConv(outside, outside, 3, padding=1)
        self.norm2 = nn.GroupNorm(GROUPS, outside)
        self.skip = nn.Identity() if inside == outside else nn.Conv2d(inside, outside, 1)

    def forward(self, x, embedding):
        scale, shift = self.time(F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        y = F.silu(self.norm1(self.conv1(x)) * (scale + 1) + shift)
        return F.silu(self.norm2(self.conv2(y))) + self.skip(x)


class PixelAttention(nn.Module):
    """x + out(attention(norm(x))), with attention over all pairs of pixels or, linear, over channels."""

    def __init__(self, width, linear):
        super().__init__()
        hidden = HEADS * HEAD_WIDTH
        self.linear = linear
        self.norm = nn.GroupNorm(1, width)
        self.project = nn.Conv2d(width, 3 * hidden, 1, bias=False)
        self.out = nn.Conv2d(hidden, width, 1)
        self.out_norm = nn.GroupNorm(1, width) if linear else nn.Identity()

    def forward(self, x):
        batch, _, height, width = x.shape
        parts = self.project(self.norm(x)).reshape(batch, 3, HEADS, HEAD_WIDTH, height * width)
        q, k, v = parts.unbind(1)
        y = self.over_channels(q, k, v) if self.linear else self.over_pixels(q, k, v)
        return x + self.out_norm(self.out(y.reshape(batch, -1, height, width)))

    def over_channels(self, q, k, v):
        context = torch.matmul(k.softmax(dim=-1), v.transpose(-1, -2))
        return torch.matmul(context.transpose(-1, -2), q.softmax(dim=-2) * HEAD_WIDTH**-0.5)

    def over_pixels(self, q, k, v):
        rows = (part.transpose(-1, -2) for part in (q, k, v))
        return F.scaled_dot_product_attention(*rows).transpose(-1, -2)


class Unet(nn.Module):
    def __init__(self, width=28, multiples=(1, 2, 4), channels=1, weight_standardization="standardized"):
        super().__init__()
        time = 4 * width
        widths = [width, *(width * multiple for multiple in multiples)]
        pairs = list(zip(widths[:-1], widths[1:]))
        self.first = nn.Conv2d(channels, width, 1)
        self.time = TimeEmbedding(width, time)
        self.down = nn.ModuleList(
            nn.ModuleList(
                (
                    ResidualBlock(fine, fine, time),
                    ResidualBlock(fine, fine, time),
                    PixelAttention(fine, linear=True),
                    nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * fine, coarse, 1))
                    if i < len(pairs) - 1
                    else nn.Conv2d(fine, coarse, 3, padding=1),
                )
            )
            for i, (fine, coarse) in enumerate(pairs)
        )
        deepest = widths[-1]
        self.middle1 = ResidualBlock(deepest, deepest, time)
        self.middle2 = PixelAttention(deepest, linear=False)
        self.middle3 = ResidualBlock(deepest, deepest, time)
        self.up = nn.ModuleList(
            nn.ModuleList(
                (
                    ResidualBlock(coarse + fine, coarse, time),
                    ResidualBlock(coarse + fine, coarse, time),
                    PixelAttention(coarse, linear=True),
                    nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(coarse, fine, 3, padding=1))
                    if i < len(pairs) - 1
                    else nn.Conv2d(coarse, fine, 3, padding=1),
                )
            )
            for i, (fine, coarse) in enumerate(reversed(pairs))
        )
        self.last = ResidualBlock(2 * width, width, time)
        self.to_image = nn.Conv2d(width, channels, 1)
        for layer in self.modules():
            if isinstance(layer, StandardizedConv):
                layer.printed = weight_standardization == "printed"

    def forward(self, x, t):
        embedding = self.time(t)
        x = first = self.first(x)
        skips = []
        for block1, block2, attention, smaller in self.down:
            skips.append(block1(x, embedding))
            skips.append(attention(block2(skips[-1], embedding)))
            x = smaller(skips[-1])
        x = self.middle3(self.middle2(self.middle1(x, embedding)), embedding)
        for block1, block2, attention, larger in self.up:
            x = block1(torch.cat((x, skips.pop()), dim=1), embedding)
            x = block2(torch.cat((x, skips.pop()), dim=1), embedding)
            x = larger(attention(x))
        return self.to_image(self.last(torch.cat((x, first), dim=1), embedding))


def make_unet(options):
    """Takes options as a checkpoint of ours has them: dim, dimMults and channels."""
    return Unet(options["dim"], options["dimMults"], options["channels"])


# Parts of the article's names for weights, and what they are called here.
NAMES = (
    ("init_conv.", "first."),
    ("time_mlp.1.", "time.hidden."),
    ("time_mlp.3.", "time.out."),
    ("downs.", "down."),
    ("ups.", "up."),
    ("mid_block1.", "middle1."),
    ("mid_attn.", "middle2."),
    ("mid_block2.", "middle3."),
    ("final_res_block.", "last."),
    ("final_conv.", "to_image."),
    ("mlp.1.", "time."),
    ("block1.proj.", "conv1."),
    ("block1.norm.", "norm1."),
    ("block2.proj.", "conv2."),
    ("block2.norm.", "norm2."),
    ("res_conv.", "skip."),
    ("fn.norm.", "norm."),
    ("fn.fn.to_qkv.", "project."),
    ("fn.fn.to_out.0.", "out."),
    ("fn.fn.to_out.1.", "out_norm."),
    ("fn.fn.to_out.", "out."),
)


def load_weights(unet, weights):
    """Takes arrays under the article's names."""
    state = {}
    for name, array in weights.items():
        for theirs, ours in NAMES:
            name = name.replace(theirs, ours)
        state[name] = torch.from_numpy(array.copy())
    unet.load_state_dict(state)


class Diffusion:
    """Ho et al. (2020, 2006.11239) with the linear schedule."""

    def __init__(self, timesteps=300):
        self.timesteps = timesteps
        betas = torch.linspace(1e-4, 0.02, timesteps, dtype=torch.float64)
        kept = torch.cumprod(1 - betas, dim=0)
        before = torch.cat((torch.ones(1, dtype=torch.float64), kept[:-1]))
        self.signal = kept.sqrt().float()
        self.noise = (1 - kept).sqrt().float()
        self.mean_scale = (1 - betas).rsqrt().float()
        self.mean_noise = (betas / (1 - kept).sqrt()).float()
        self.spread = (betas * (1 - before) / (1 - kept)).sqrt().float()

    def loss(self, model, images, t, noise):
        """Line 5 of Algorithm 1, with the Huber loss."""
        noisy = self.signal[t].view(-1, 1, 1, 1) * images + self.noise[t].view(-1, 1, 1, 1) * noise
        return F.smooth_l1_loss(model(noisy, t), noise)

    def step(self, model, x, t, noise):
        """One step of Algorithm 2, from timestep t; the last, t = 0, adds no noise."""
        predicted = model(x, torch.full((len(x),), t))
        mean = self.mean_scale[t] * (x - self.mean_noise[t] * predicted)
        return mean + self.spread[t] * noise if t > 0 else mean
