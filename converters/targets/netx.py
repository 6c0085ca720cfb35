"""Target "netx": a .net file for lava-dl's `netx.hdf5.Network`, beside what target lava writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dalif_deploy.hw_models.chip_network.file import read_chip_network, write_chip_network

from ..artefact import NETWORK_FILE
from ..netx.layers import chain_of, round_biases
from ..netx.write import write_net
from ..source import Source
from .lava import write_lava_target
from .request import ExportRequest

NET_FILE = "network.net"


def write_netx_target(source: Source, request: ExportRequest, folder: Path) -> dict[str, Any]:
    """Rounds biases to netx's exponent, in the compiled network too: every engine runs what the file says."""
    figures = write_lava_target(source, request, folder)
    network = read_chip_network(folder / NETWORK_FILE)
    layers = chain_of(network)
    changes = round_biases(network)
    (folder / NETWORK_FILE).unlink()
    write_chip_network(folder / NETWORK_FILE, network)
    write_net(folder / NET_FILE, network)
    (chip_input,) = network.inputs.values()
    delayed = any(layer.delays is not None for layer in layers)
    return {
        **figures,
        "biases_rounded_by_thresholds": changes,
        # how netx must be called: the interval leaves room for the pipeline, so that each layer is reset just before
        # its first real input. A reset does not reach spikes that are under way: with delays, a run holds one sample
        "netx": {
            "input_message_bits": 0 if chip_input.mode == "spikes" else int(chip_input.max_level).bit_length(),
            "reset_interval": network.steps + len(layers) + 1,
            "reset_offset": 1,
            "samples_a_run": 1 if delayed else None,
        },
    }
