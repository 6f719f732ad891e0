"""Writes the U-Net with a reference's weights as an ONNX graph, from inputs x (NCHW) and t to output y."""

import argparse

import torch

from networks import make_network
from peer import read_reference


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", required=True, help="a safetensors file")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    reference = read_reference(arguments.reference)
    network, _ = make_network(reference)
    x = torch.from_numpy(reference.images[: arguments.batch].copy())
    t = torch.from_numpy(reference.timesteps[: arguments.batch].copy()).long()
    names = {"input_names": ["x", "t"], "output_names": ["y"]}
    torch.onnx.export(network.eval(), (x, t), arguments.out, dynamo=True, external_data=False, verbose=False, **names)


if __name__ == "__main__":
    main()
