"""What every Python side of the benches has in common.

Lines of JSON: a side says {"ready": {...}} after its first step; then {"request": "step"} is answered with
{"seconds": n}, {"request": "memory"} with {"bytes": n}, the most memory that the process had, and
{"request": "values"} with {"values": [...]}, what it computes from the numbers of the reference file. It ends with
its input.
"""

import argparse
import json
import os
import struct
import sys
import time
from typing import Callable, NamedTuple

import numpy as np

# How many images' values are compared.
COMPARED = 4
# How many losses of training by one batch are compared.
LOSSES = 3


class Side(NamedTuple):
    description: str
    # Does the work once and gives a number that follows from the result.
    step: Callable[[], float]
    # What it computes from the reference, however many steps came before.
    values: Callable[[], np.ndarray]


class Reference(NamedTuple):
    """Numbers that everybody computes with, in PyTorch's layouts, images NCHW."""

    # The architecture and its options, as a checkpoint of ours has them.
    network: dict
    # By the article's names.
    weights: dict
    images: np.ndarray
    noise: np.ndarray
    timesteps: np.ndarray


def read_reference(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    types = {"F32": np.float32, "I32": np.int32}

    def tensor(name):
        begin, end = header[name]["data_offsets"]
        return np.frombuffer(data[begin:end], types[header[name]["dtype"]]).reshape(header[name]["shape"])

    names = [name for name in header if name.startswith("model.")]
    weights = {name.removeprefix("model."): tensor(name) for name in names}
    network = json.loads(header["__metadata__"]["network"])
    return Reference(network, weights, tensor("images"), tensor("noise"), tensor("timesteps"))


def parse_arguments(modes):
    parser = argparse.ArgumentParser()
    parser.add_argument("--workload", choices=("train", "forward", "sampling"), required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--reference", required=True, help="a safetensors file")
    if modes:
        parser.add_argument("--mode", choices=modes, required=True)
    return parser.parse_args()


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


def answer(request, side):
    if request == "memory":
        return {"bytes": peak_bytes()}
    if request == "values":
        return {"values": np.asarray(side.values(), np.float64).ravel().tolist()}
    return {"seconds": timed(side.step)}


def run(make, modes=()):
    """Answers requests with the side that make(arguments, reference) gives."""
    arguments = parse_arguments(modes)
    # Answers alone go to the pipe: whatever else prints goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(message):
        print(json.dumps(message), file=answers, flush=True)

    try:
        side = make(arguments, read_reference(arguments.reference))
        timed(side.step)
        say({"ready": {"description": side.description}})
        for line in sys.stdin:
            say(answer(json.loads(line)["request"], side))
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}".splitlines()[0]})
        sys.exit(1)
