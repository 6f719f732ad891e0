"""The networks that sides in PyTorch run, by the architecture that a reference names."""

from typing import Callable, NamedTuple

import unet
import unet_2d


class Architecture(NamedTuple):
    # From the options, as a checkpoint of ours has them, to a module called with images (NCHW) and timesteps.
    make: Callable
    # Gives a module the reference's weights.
    load: Callable


ARCHITECTURES = {
    "unet": Architecture(unet.make_unet, unet.load_weights),
    "unet2d": Architecture(unet_2d.make_unet_2d, unet_2d.load_weights),
}


def make_network(reference):
    """The network of a reference, and a function that gives it the reference's weights, at first and again."""
    options = dict(reference.network)
    architecture = ARCHITECTURES[options.pop("architecture")]
    network = architecture.make(options)

    def load():
        architecture.load(network, reference.weights)

    load()
    return network, load
