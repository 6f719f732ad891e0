"""PyTorch on a GPU, for bench/gpu.ts: a training step of a U-Net, in turns.

Lines of JSON: {"ready": {"description": ..., "modes": [...]}} at first; then {"mode": m, "network": {...}, "batch": n,
"size": s, "steps": k} is answered with {"seconds": n}, of one step as a mean of k, after steps that warm up.
"""

import json
import sys
import time

import torch
from unet import Diffusion, make_unet

# How a step is computed: TensorFloat-32 for products and convolutions, autocast to halves, the whole as a CUDA graph.
MODES = {
    "tf32 off": {},
    "tf32 on": {"tf32": True},
    "autocast": {"tf32": True, "autocast": True},
    "autocast, cuda graph": {"tf32": True, "autocast": True, "graph": True},
}
WARM_UP = 4


def on_device(diffusion, device):
    for name, value in vars(diffusion).items():
        if isinstance(value, torch.Tensor):
            setattr(diffusion, name, value.to(device))
    return diffusion


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def step_of(request, device, tf32=False, autocast=False, graph=False):
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    network = make_unet(request["network"]).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, capturable=graph)
    diffusion = on_device(Diffusion(), device)
    batch, size = request["batch"], request["size"]
    images = torch.randn(batch, request["network"]["channels"], size, size, device=device)
    scaler = torch.amp.GradScaler(device, enabled=autocast and not graph)

    def step():
        optimizer.zero_grad(set_to_none=True)
        t = torch.randint(0, diffusion.timesteps, (batch,), device=device)
        with torch.autocast(device, dtype=torch.float16, enabled=autocast):
            loss = diffusion.loss(network, images, t, torch.randn_like(images))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    if not graph:
        return step
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        step()
    return captured.replay


def timed(request, device):
    step = step_of(request, device, **MODES[request["mode"]])
    for _ in range(WARM_UP if device == "cuda" else 1):
        step()
    wait(device)
    start = time.perf_counter()
    for _ in range(request["steps"]):
        step()
    wait(device)
    return (time.perf_counter() - start) / request["steps"]


def main():
    def say(message):
        print(json.dumps(message), flush=True)

    isGpu = torch.cuda.is_available()
    device = "cuda" if isGpu else "cpu"
    if not isGpu and "--processor" not in sys.argv:
        say({"error": f"PyTorch {torch.__version__} finds no CUDA"})
        return
    name = torch.cuda.get_device_name() if isGpu else "the processor"
    modes = list(MODES) if isGpu else ["tf32 off"]
    say({"ready": {"description": f"PyTorch {torch.__version__} on {name}", "modes": modes}})
    for line in sys.stdin:
        try:
            say({"seconds": timed(json.loads(line), device)})
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}".splitlines()[0]})


if __name__ == "__main__":
    main()
