"""The mapping of a network onto cores, on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dalif_deploy.hw_models.energy.report.mapping import CheckedLimit, Fits, MappingFigures, Refused, UncheckedLimit
from dalif_deploy.hw_models.mapping.core_limit import CoreLimit

LIMITS: dict[CoreLimit, str] = {
    "neurons_per_core": "neurons",
    "synapse_memory_bits_per_core": "synapse memory",
    "input_axons_per_core": "input axons",
    "output_axons_per_core": "output axons",
    "decay_profiles_per_core": "decay profiles",
}


def print_mapping(mapping: MappingFigures, chip: str, console: Console) -> None:
    """Prints the report's `mapping`."""
    if not isinstance(mapping, Fits):
        why, style = (mapping.why, "red") if isinstance(mapping, Refused) else (mapping.status, "")
        console.print(Text(f"mapping onto {chip}: {why}", style=style))
        return
    title = (
        f"Mapping onto {chip} [modelled]: {_many(mapping.cores, 'core')} of "
        f"{mapping.chips * mapping.cores_a_chip:,} on {_many(mapping.chips, 'chip')}, "
        f"bound by {LIMITS[mapping.binding_limit]}"
    )
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    table.add_column("layer", overflow="fold")
    # most networks have one pair of decays per layer: nothing to show
    several = any(population.largest_use.decay_profiles_per_core > 1 for population in mapping.populations)
    shown = {name: words for name, words in LIMITS.items() if several or name != "decay_profiles_per_core"}
    for column in ("cores", "neurons per core", *(f"{words}, most" for words in shown.values()), "nearest limit"):
        table.add_column(column, justify="right", overflow="fold")
    limits = {row.name: row for row in mapping.limits}
    for population in mapping.populations:
        used = [_use(getattr(population.largest_use, name), limits[name]) for name in shown]
        tile = " x ".join(map(str, population.tile))
        cells = [population.name, f"{population.cores:,}", tile, *used, LIMITS[population.binding_limit]]
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    for row in mapping.limits:
        if row.name not in shown:
            continue
        if isinstance(row, UncheckedLimit):
            console.print(Text(f"{LIMITS[row.name]}: {row.why}", style="yellow"))
        elif row.assumed:
            words = f"limit of {LIMITS[row.name]} assumed, {row.limit:,}: {row.source}"
            console.print(Text(words, style="yellow"))
    for words, part in (("encoding of synapses", mapping.synapse_encoding), ("grid of tiles", mapping.grid)):
        if part.assumed:
            console.print(Text(f"{words} assumed: {part.source}", style="yellow"))
    traffic = mapping.traffic
    line = (
        f"a sample: {traffic.messages.mean:,.0f} messages at cores ({traffic.from_input.mean:,.0f} from the input, "
        f"{traffic.between_chips.mean:,.0f} between chips), {traffic.hops_east_west.mean:,.0f} hops east-west, "
        f"{traffic.hops_north_south.mean:,.0f} north-south"
    )
    console.print(Text(line))
    placement = mapping.placement
    if placement.naive_hops or placement.naive_between_chips:
        line = (
            f"placement by the first samples' spikes: {placement.hops:,.0f} hops and "
            f"{placement.between_chips:,.0f} messages between chips, in the network's order "
            f"{placement.naive_hops:,.0f} and {placement.naive_between_chips:,.0f}"
        )
        console.print(Text(line))
    console.print(Text("not modelled: " + "; ".join(mapping.not_modelled), style="dim"))


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' * (number != 1)}"


def _use(used: int, limit: CheckedLimit | UncheckedLimit) -> str:
    return f"{used:,}" if limit.limit is None else f"{used:,} ({used / limit.limit:.0%})"
