"""What a recording holds of a layer."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.damage import damage_in_one_line


class InMemory(Protocol):
    """Such as a `Recording` or an `EngineRun`: layer -> [N, T, *shape]."""

    spikes: dict[str, np.ndarray]
    membrane: dict[str, np.ndarray]


RecordedRun = str | Path | InMemory


def recorded(recording: RecordedRun, layer: str, kind: Literal["spikes", "membrane"], sample: int) -> np.ndarray:
    """[T, *shape] of one sample.

    Args:
        recording: a file of `dalif-simulate --record`, or a run in memory.

    Raises:
        UserError: no such file, layer or sample, or the layer's `kind` was not recorded.
    """
    if isinstance(recording, str | Path):
        where = str(recording)
        again = "write one with dalif-simulate --record"
        with damage_in_one_line("not a readable recording", where=where, remedy=again), np.load(recording) as file:
            held = {name.removesuffix(f".{kind}"): name for name in file.files if name.endswith(f".{kind}")}
            found = file[held[layer]] if layer in held else None
    else:
        where, held = kind, {name: name for name in getattr(recording, kind)}
        found = getattr(recording, kind).get(layer)
    if found is None:
        known = f"choose one of {', '.join(held)}" if held else f"record its {kind}"
        raise UserError(f"no {kind} of layer {layer!r}", where=where, remedy=known)
    if not 0 <= sample < len(found):
        raise UserError(f"no sample {sample}: there are {len(found)}", where=where, remedy="count from 0")
    return np.asarray(found[sample])
