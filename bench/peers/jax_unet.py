"""The U-Net of "The Annotated Diffusion Model" and its diffusion, in JAX, written for these benches.

Images are NHWC and filters HWIO, as XLA's convolutions on a CPU want them. Weights are a dict under the article's names.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

WIDTH = 28
LEVELS = 3
HEADS = 4
HEAD_WIDTH = 32
GROUPS = 4


def from_pytorch(weights):
    """PyTorch's layouts to ours: filters OIHW to HWIO, matrices [out, in] to [in, out]."""
    orders = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}
    return {name: jnp.asarray(array.transpose(orders[array.ndim])) for name, array in weights.items()}


def linear(weights, name, x):
    return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]


def convolve(x, filters):
    return jax.lax.conv_general_dilated(x, filters, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def conv(weights, name, x):
    return convolve(x, weights[f"{name}.weight"]) + weights[f"{name}.bias"]


def standardized_conv(weights, name, x):
    """Qiao et al. (2019, 1903.10520)"""
    filters = weights[f"{name}.weight"]
    mean = filters.mean(axis=(0, 1, 2))
    variance = filters.var(axis=(0, 1, 2))
    return convolve(x, (filters - mean) * jax.lax.rsqrt(variance + 1e-5)) + weights[f"{name}.bias"]


def group_norm(weights, name, x, groups):
    batch, height, width, channels = x.shape
    parts = x.reshape(batch, height * width, groups, channels // groups)
    mean = parts.mean(axis=(1, 3), keepdims=True)
    variance = parts.var(axis=(1, 3), keepdims=True)
    normal = ((parts - mean) * jax.lax.rsqrt(variance + 1e-5)).reshape(x.shape)
    return normal * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def time_embedding(weights, t):
    half = WIDTH // 2
    rates = jnp.exp(jnp.arange(half) * (-math.log(10000) / (half - 1)))
    angles = t[:, None] * rates[None, :]
    waves = jnp.concatenate((jnp.sin(angles), jnp.cos(angles)), axis=1)
    hidden = jax.nn.gelu(linear(weights, "time_mlp.1", waves), approximate=False)
    return linear(weights, "time_mlp.3", hidden)


def residual_block(weights, name, x, embedding):
    """Two 3x3 convolutions, each with group norm and SiLU; time scales and shifts after the first norm."""
    time = linear(weights, f"{name}.mlp.1", jax.nn.silu(embedding))[:, None, None, :]
    scale, shift = jnp.split(time, 2, axis=-1)
    y = group_norm(weights, f"{name}.block1.norm", standardized_conv(weights, f"{name}.block1.proj", x), GROUPS)
    y = jax.nn.silu(y * (scale + 1) + shift)
    y = group_norm(weights, f"{name}.block2.norm", standardized_conv(weights, f"{name}.block2.proj", y), GROUPS)
    skip = conv(weights, f"{name}.res_conv", x) if f"{name}.res_conv.weight" in weights else x
    return jax.nn.silu(y) + skip


def attention_parts(weights, name, x):
    """Queries, keys and values, each [batch, pixels, heads, width]."""
    batch, height, width, _ = x.shape
    normal = group_norm(weights, f"{name}.fn.norm", x, 1)
    parts = convolve(normal, weights[f"{name}.fn.fn.to_qkv.weight"])
    parts = parts.reshape(batch, height * width, 3, HEADS, HEAD_WIDTH)
    return parts[:, :, 0], parts[:, :, 1], parts[:, :, 2]


def linear_attention(weights, name, x):
    q, k, v = attention_parts(weights, name, x)
    context = jnp.einsum("bnhd,bnhe->bhde", jax.nn.softmax(k, axis=1), v)
    y = jnp.einsum("bhde,bnhd->bnhe", context, jax.nn.softmax(q, axis=3) * HEAD_WIDTH**-0.5)
    y = conv(weights, f"{name}.fn.fn.to_out.0", y.reshape(*x.shape[:3], HEADS * HEAD_WIDTH))
    return x + group_norm(weights, f"{name}.fn.fn.to_out.1", y, 1)


def attention(weights, name, x):
    y = jax.nn.dot_product_attention(*attention_parts(weights, name, x))
    return x + conv(weights, f"{name}.fn.fn.to_out", y.reshape(*x.shape[:3], HEADS * HEAD_WIDTH))


def halved(weights, name, x):
    """Squares of 2x2 pixels as channels, in PyTorch's order."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 5, 2, 4)
    return conv(weights, f"{name}.1", x.reshape(batch, height // 2, width // 2, 4 * channels))


def doubled(weights, name, x):
    return conv(weights, f"{name}.1", x.repeat(2, axis=1).repeat(2, axis=2))


def unet(weights, x, t):
    embedding = time_embedding(weights, t)
    x = first = conv(weights, "init_conv", x)
    skips = []
    for level in range(LEVELS):
        name = f"downs.{level}"
        x = residual_block(weights, f"{name}.0", x, embedding)
        skips.append(x)
        x = linear_attention(weights, f"{name}.2", residual_block(weights, f"{name}.1", x, embedding))
        skips.append(x)
        x = (halved if level < LEVELS - 1 else conv)(weights, f"{name}.3", x)
    x = residual_block(weights, "mid_block1", x, embedding)
    x = residual_block(weights, "mid_block2", attention(weights, "mid_attn", x), embedding)
    for level in range(LEVELS):
        name = f"ups.{level}"
        for block in (f"{name}.0", f"{name}.1"):
            x = residual_block(weights, block, jnp.concatenate((x, skips.pop()), axis=-1), embedding)
        x = linear_attention(weights, f"{name}.2", x)
        x = (doubled if level < LEVELS - 1 else conv)(weights, f"{name}.3", x)
    x = residual_block(weights, "final_res_block", jnp.concatenate((x, first), axis=-1), embedding)
    return conv(weights, "final_conv", x)


class Diffusion:
    """Ho et al. (2020, 2006.11239) with the linear schedule."""

    def __init__(self, timesteps=300):
        self.timesteps = timesteps
        betas = np.linspace(1e-4, 0.02, timesteps)
        kept = np.cumprod(1 - betas)
        before = np.append(1, kept[:-1])
        self.signal, self.noise, self.mean_scale, self.mean_noise, self.spread = (
            jnp.asarray(values, jnp.float32)
            for values in (
                np.sqrt(kept),
                np.sqrt(1 - kept),
                1 / np.sqrt(1 - betas),
                betas / np.sqrt(1 - kept),
                np.sqrt(betas * (1 - before) / (1 - kept)),
            )
        )

    def loss(self, weights, images, t, noise):
        """Line 5 of Algorithm 1, with the Huber loss."""
        noisy = self.signal[t][:, None, None, None] * images + self.noise[t][:, None, None, None] * noise
        away = jnp.abs(unet(weights, noisy, t) - noise)
        return jnp.where(away < 1, 0.5 * away**2, away - 0.5).mean()

    def step(self, weights, x, t, noise):
        """One step of Algorithm 2, from timestep t > 0."""
        predicted = unet(weights, x, jnp.full(len(x), t))
        return self.mean_scale[t] * (x - self.mean_noise[t] * predicted) + self.spread[t] * noise
