"""PyTorch's side of the benches: does the work of one workload on request.

Lines of JSON: it says {"ready": {...}} after its first step; then each {"request": "step"} is answered with
{"seconds": n} and {"request": "memory"} with {"bytes": n}, the most memory that the process had. It ends with its
input.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=("train", "forward", "sampling"), required=True)
    parser.add_argument("--mode", choices=("eager", "channels_last", "bf16", "compile"), required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


def make_step(workload, mode, batch):
    import torch
    from unet import Diffusion, make_unet

    torch.manual_seed(0)
    layout = torch.channels_last if mode in ("channels_last", "bf16") else torch.contiguous_format
    unet = make_unet().to(memory_format=layout)
    model = torch.compile(unet) if mode == "compile" else unet
    diffusion = Diffusion()
    images = torch.rand(batch, 1, 28, 28).mul(2).sub(1).contiguous(memory_format=layout)
    noisy = torch.randn(batch, 1, 28, 28).contiguous(memory_format=layout)
    timesteps = torch.randint(0, diffusion.timesteps, (batch,))
    optimizer = torch.optim.Adam(unet.parameters(), lr=1e-3)

    def autocast():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=mode == "bf16")

    def train():
        optimizer.zero_grad()
        with autocast():
            loss = diffusion.loss(model, images)
        loss.backward()
        optimizer.step()
        return loss.item()

    @torch.no_grad()
    def forward():
        with autocast():
            return model(noisy, timesteps).float().sum().item()

    @torch.no_grad()
    def sampling():
        with autocast():
            return diffusion.step(model, noisy, diffusion.timesteps // 2).float().sum().item()

    return {"train": train, "forward": forward, "sampling": sampling}[workload], torch.__version__


def timed(step):
    start = time.perf_counter()
    result = step()
    seconds = time.perf_counter() - start
    if result != result or abs(result) == float("inf"):
        raise RuntimeError(f"the result must be finite, got {result}")
    return seconds


def peak_bytes():
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak


def serve(arguments, say):
    import torch

    torch.set_num_threads(arguments.threads)
    step, version = make_step(arguments.workload, arguments.mode, arguments.batch)
    timed(step)
    say({"ready": {"description": f"PyTorch {version}, {torch.get_num_threads()} threads"}})
    for line in sys.stdin:
        request = json.loads(line)["request"]
        say({"bytes": peak_bytes()} if request == "memory" else {"seconds": timed(step)})


def main():
    arguments = parse_arguments()
    # Answers alone go to the pipe: whatever else prints goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer):
        print(json.dumps(answer), file=answers, flush=True)

    # Compilation is part of what is measured, so nothing of an earlier one may be found.
    cache = tempfile.mkdtemp(prefix="unnoise-bench-")
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
    try:
        serve(arguments, say)
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}".splitlines()[0]})
        sys.exit(1)
    finally:
        shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main()
