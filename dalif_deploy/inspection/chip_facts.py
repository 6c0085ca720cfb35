"""What each chip makes of a network: its size there, or the first thing that stops it."""

from __future__ import annotations

from typing import Any

from dalif_deploy.converters.compile_source import compile_source
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.converters.source import Source
from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.chips.names import chip_names
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.mapping import map_network
from dalif_deploy.hw_models.progress import tracked


def chip_facts(source: Source, steps: int) -> dict[str, dict[str, Any]]:
    """Compiles for each chip in turn, with 8-bit weights and whatever the export takes by default.

    Args:
        steps: of a sample.

    Returns:
        Chip -> `stops` (the first error, None if there is none) and `size`, see `network_size`. A network that has
        no room on the chip has `stops` and no size.
    """
    if source.network is not None:  # integers of one chip
        return {source.network.chip: mapped(source.network)}
    found = {}
    for chip in tracked(chip_names(), "trying chips"):
        try:
            made = compile_source(source, ExportRequest(chip=chip, steps=steps))
        except UserError as error:
            found[chip] = {"stops": str(error), "size": None}
        else:
            found[chip] = mapped(made.network)
    return found


def mapped(network: ChipNetwork) -> dict[str, Any]:
    """`stops` and `size` of a compiled network."""
    try:
        return {"stops": None, "size": network_size(network)}
    except UserError as error:
        return {"stops": str(error), "size": None}


def network_size(network: ChipNetwork) -> dict[str, Any]:
    """Cores, chips, the limit that most cores are nearest to, neurons, and whether a register may overflow.

    Raises:
        UserError: no room on the chip.
    """
    mapping = map_network(network)
    return {
        "cores": len(mapping.cores),
        "chips": mapping.chips,
        "bound_by": mapping.binding_limit(),
        "neurons": sum(population.size for population in network.populations.values()),
        "weights": sum(int(projection.weight.size) for projection in network.projections.values()),
    }
