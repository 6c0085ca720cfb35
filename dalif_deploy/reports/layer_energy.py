"""Energy a layer and a term, from the report's counts of layers and the prices that its terms were summed with."""

from __future__ import annotations

from typing import Any

BETWEEN = "between layers"


def energy_by_layer(report: dict[str, Any]) -> dict[str, Any]:
    """Divides the terms of `report["energy"]` among the layers: synaptic operations and messages where they arrive.

    Returns:
        terms: names of those that are not zero; rows: name, joules [terms]. What belongs to no layer (hops) is a last
        row of its own, so that each column sums to its term.
    """
    terms = [term for term in report["energy"]["terms"] if term["joules"]["mean"]]
    rows = [{"name": layer["name"], "joules": []} for layer in report["counts"]["layers"]]
    between: list[float] = []
    for term in terms:
        counts = _events(report, term["name"])
        if counts is None:
            between.append(term["joules"]["mean"])
            counts = [0.0] * len(rows)
        else:
            between.append(0.0)
        price = term["joules"]["mean"] / term["count"]["mean"]
        for row, count in zip(rows, counts, strict=True):
            row["joules"].append(count * price)
    if any(between):
        rows.append({"name": BETWEEN, "joules": between})
    return {"terms": [term["name"] for term in terms], "rows": rows}


def _events(report: dict[str, Any], term: str) -> list[float] | None:
    """Events of a term a layer, or None where they have no layer."""
    layers = report["counts"]["layers"]
    counted = {
        "synaptic operations": "synaptic_operations",
        "neuron updates, active": "updates_active",
        "neuron updates, inactive": "updates_inactive",
    }
    if term in counted:
        return [layer[counted[term]]["mean"] for layer in layers]
    cores = (report.get("mapping") or {}).get("core_list")
    if term == "messages, at each core reached" and cores:
        arrived = dict.fromkeys((layer["name"] for layer in layers), 0.0)
        for core in cores:
            arrived[core["population"]] += core["messages_in"]
        return list(arrived.values())
    return None
