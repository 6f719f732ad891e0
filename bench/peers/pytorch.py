"""PyTorch's side of the benches."""

import os
import shutil
import tempfile

from peer import COMPARED, LOSSES, Side, run


def make(arguments, reference):
    import torch
    from networks import make_network
    from unet import Diffusion

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    mode, batch = arguments.mode, arguments.batch
    layout = torch.channels_last if mode in ("channels_last", "bf16") else torch.contiguous_format
    network, load = make_network(reference)
    network.to(memory_format=layout)
    optimizer = None

    def start():
        nonlocal optimizer
        load()
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    start()
    model = torch.compile(network) if mode == "compile" else network
    diffusion = Diffusion()

    def of(array):
        return torch.from_numpy(array.copy())

    images = of(reference.images).contiguous(memory_format=layout)
    noise = of(reference.noise).contiguous(memory_format=layout)
    timesteps = of(reference.timesteps).long()
    middle = diffusion.timesteps // 2

    def autocast():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=mode == "bf16")

    def train(t, noise):
        optimizer.zero_grad()
        with autocast():
            loss = diffusion.loss(model, images, t, noise)
        loss.backward()
        optimizer.step()
        return loss.item()

    @torch.no_grad()
    def forward():
        with autocast():
            return model(images, timesteps).float()

    @torch.no_grad()
    def sampling(noise):
        with autocast():
            return diffusion.step(model, images, middle, noise).float()

    def losses():
        start()
        return [train(timesteps, noise) for _ in range(LOSSES)]

    def random_timesteps():
        return torch.randint(0, diffusion.timesteps, (batch,))

    steps = {
        "train": lambda: train(random_timesteps(), torch.randn_like(images)),
        "forward": lambda: forward().sum().item(),
        "sampling": lambda: sampling(torch.randn_like(images)).sum().item(),
    }
    values = {
        "train": losses,
        "forward": lambda: forward()[:COMPARED].numpy(),
        "sampling": lambda: sampling(noise)[:COMPARED].numpy(),
    }
    description = f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
    return Side(description, steps[arguments.workload], values[arguments.workload])


def main():
    # Compilation is part of what is measured, so nothing of an earlier one may be found.
    cache = tempfile.mkdtemp(prefix="unnoise-bench-")
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
    try:
        run(make, ("eager", "channels_last", "bf16", "compile"))
    finally:
        shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main()
