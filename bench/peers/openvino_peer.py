"""OpenVINO's side of the benches: PyTorch's network, converted; it does not train."""

import os
import subprocess
import sys
import tempfile

from peer import COMPARED, Side, run

COMPILE = "import sys, openvino; openvino.Core().compile_model(sys.argv[1], 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})"


def crashes(graph):
    """Whether compiling ends the process, as version 2026.4 does in f32 on processors with AMX."""
    import openvino

    with tempfile.TemporaryDirectory(prefix="unnoise-bench-") as directory:
        path = os.path.join(directory, "network.xml")
        openvino.save_model(graph, path, compress_to_fp16=False)
        return subprocess.run([sys.executable, "-c", COMPILE, path], capture_output=True, check=False).returncode != 0


def make(arguments, reference):
    import openvino
    import torch
    from networks import make_network
    from unet import Diffusion

    network, _ = make_network(reference)
    images, noise = torch.from_numpy(reference.images.copy()), torch.from_numpy(reference.noise.copy())
    timesteps = torch.from_numpy(reference.timesteps.copy()).long()
    inputs = [openvino.PartialShape(list(images.shape)), openvino.PartialShape(list(timesteps.shape))]
    graph = openvino.convert_model(network.eval(), example_input=(images, timesteps), input=inputs)
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": arguments.threads, "NUM_STREAMS": 1}
    description = f"OpenVINO {openvino.__version__.split('-')[0]}, {arguments.threads} threads"
    if crashes(graph):
        # Fusion of elementwise work and attention into kernels of its own.
        settings["SNIPPETS_MODE"] = "DISABLE"
        description += ", without its snippets, which it cannot compile here"
    compiled = openvino.Core().compile_model(graph, "CPU", settings)
    diffusion = Diffusion()
    middle = diffusion.timesteps // 2

    def model(x, t):
        return torch.from_numpy(compiled((x.numpy(), t.numpy()))[0])

    steps = {
        "forward": lambda: model(images, timesteps).sum().item(),
        "sampling": lambda: diffusion.step(model, images, middle, torch.randn_like(images)).sum().item(),
    }
    values = {
        "forward": lambda: model(images, timesteps)[:COMPARED].numpy(),
        "sampling": lambda: diffusion.step(model, images, middle, noise)[:COMPARED].numpy(),
    }
    return Side(description, steps[arguments.workload], values[arguments.workload])


if __name__ == "__main__":
    run(make)
