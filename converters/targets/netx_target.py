"""Target "netx": a .net file for lava-dl's `netx.hdf5.Network`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .target import Target

if TYPE_CHECKING:
    from ..compile_source import Compiled

NET_FILE = "network.net"


class NetxTarget(Target):
    """Rounds biases to netx's exponent, in the compiled network too: every engine runs what the file says."""

    name, about = "netx", "the integers as a .net file for lava-dl"

    def adapt(self, compiled: Compiled) -> Compiled:
        """See Target."""
        from ..netx.layer_chain import chain_of, round_biases

        chain_of(compiled.network)
        network, changes = round_biases(compiled.network)
        return replace(
            compiled, integers=network, figures={**compiled.figures, "biases_rounded_by_thresholds": changes}
        )

    def write(self, compiled: Compiled, folder: Path) -> dict[str, Any]:
        """See Target."""
        from ..netx.layer_chain import chain_of
        from ..netx.write import write_net

        network = compiled.network
        write_net(folder / NET_FILE, network)
        layers = chain_of(network)
        (chip_input,) = network.inputs.values()
        (output,) = network.outputs.values()
        # what the caller has to make of the last layer: the format can't say it
        decision = {} if output.over_time is None else {"read": output.mode, "over_time": output.over_time}
        delayed = any(layer.delays is not None for layer in layers)
        return {
            # how netx must be called: the interval leaves room for the pipeline, so that each layer is reset just
            # before its first real input. A reset does not reach spikes that are under way: with delays, a run holds
            # one sample
            "netx": {
                "input_message_bits": 0 if chip_input.mode == "spikes" else int(chip_input.max_level).bit_length(),
                "reset_interval": network.steps + len(layers) + 1,
                "reset_offset": 1,
                "samples_a_run": 1 if delayed else None,
                **decision,
            }
        }
