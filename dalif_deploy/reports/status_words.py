"""The word that each figure of the energy report carries: how doubtful it is, and what says so."""

from __future__ import annotations

from dalif_deploy.hw_models.energy.report.mapping import CheckedLimit, Fits, MappingFigures
from dalif_deploy.hw_models.energy.report.report import EnergyReport


def look(status: str) -> str:
    """The look of a status or of a constant's evidence: the most doubtful word in it decides."""
    if "assumed" in status:
        return "assumed"
    return "measured" if status == "measured" else "modelled"


def mapping_word(mapping: MappingFigures) -> str:
    """The word of the number of cores."""
    if not isinstance(mapping, Fits):
        return "modelled"
    checked = (limit for limit in mapping.limits if isinstance(limit, CheckedLimit))
    assumed = any(limit.assumed for limit in checked) or mapping.grid.assumed or mapping.synapse_encoding.assumed
    return "modelled with assumed limits" if assumed else "modelled"


def what_is_assumed(report: EnergyReport) -> list[str]:
    """What of a report stands on no source, in words."""
    found = []
    if look(report.energy.status) == "assumed":
        found.append("the prices of events")
    if look(report.energy.static.status) == "assumed":
        found.append("the length of a step (static energy)")
    if report.latency is not None and look(report.latency.status) == "assumed":
        found.append("the time that events take")
    if look(mapping_word(report.mapping)) == "assumed":
        found.append("limits or encoding of the cores")
    if report.host is not None:
        found.append("the host's energy, a lower bound")
    return found
