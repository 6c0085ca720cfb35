"""The facts of a checkpoint, a NIR or .net file, or an exported folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dalif_deploy.converters.artefact import CHECKPOINT_FILE, NETWORK_FILE, REFERENCE_FILE, Artefact, load_artefact
from dalif_deploy.converters.file_digest import file_digest
from dalif_deploy.converters.sources import SOURCES, ReadRequest, load_source
from dalif_deploy.inspection.chip_facts import chip_facts, mapped
from dalif_deploy.inspection.graph_facts import graph_facts

STEPS = 16  # where nobody says how many a sample has


def inspect_thing(thing: str | Path, *, dt: float | None = None, steps: int | None = None) -> dict[str, Any]:
    """Looks into a network without changing anything.

    Args:
        thing: a checkpoint, a NIR graph, a .net file, or a folder of dalif-export.
        dt: overrides the time step (seconds).
        steps: of a sample, where the network does not say.

    Returns:
        `what` it is, `file`, `dt` (seconds) and `dt_from`, `steps` and `steps_from`, `input_range` (lowest, highest),
        `neurons`, `weights`, `synapses`, what `graph_facts` returns, `chips` (see `chip_facts`) and `export`: of an
        exported folder its target, chip, promises, the files that were changed since and the size of what was compiled;
        None otherwise.

    Raises:
        UserError: missing, damaged or foreign.
    """
    thing = Path(thing)
    artefact = load_artefact(thing) if thing.is_dir() else None
    path, what = thing, "a folder of dalif-export"
    if artefact is not None:
        path = thing / (CHECKPOINT_FILE if (thing / CHECKPOINT_FILE).is_file() else REFERENCE_FILE)
        dt = artefact.dt if dt is None else dt
    source = load_source(path, ReadRequest(dt))
    if artefact is None:
        what = next(reader.about for reader in SOURCES.values() if not reader.in_memory and reader.takes(path))
    stated = (artefact and artefact.steps) or source.steps
    graph = graph_facts(source.graph, source.dt)
    count = steps or stated or STEPS
    return {
        "what": what,
        "file": str(thing),
        "dt": source.dt,
        "dt_from": artefact.export.get("dt_from", "") if artefact else source.dt_from,
        "steps": count,
        "steps_from": "given" if steps else "the network" if stated else "assumed here: the network does not say",
        "input_range": [source.input_lowest, source.input_highest],
        **{kind: _total(graph["nodes"], kind) for kind in ("neurons", "weights", "synapses")},
        **graph,
        "chips": chip_facts(source, count),
        "export": None if artefact is None else _export(artefact),
    }


def _total(nodes: list[dict[str, Any]], kind: str) -> int | None:
    values = [node[kind] for node in nodes]
    return None if None in values else sum(values)


def _export(artefact: Artefact) -> dict[str, Any]:
    files: dict[str, str] = artefact.export.get("files", {})
    changed = [name for name, digest in files.items() if _digest(artefact.folder / name) != digest]
    return {
        "target": artefact.export["target"],
        "chip": artefact.export.get("chip"),
        "promises": artefact.export.get("promises"),
        "changed_since": changed,
        # what was changed is not looked into
        "compiled": mapped(artefact.network) if artefact.compiled and NETWORK_FILE not in changed else None,
    }


def _digest(path: Path) -> str | None:
    return file_digest(path) if path.is_file() else None
