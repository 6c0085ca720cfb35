"""Trained networks that come with the package, a folder each: model.pt and its card, card.json.

`benchmarks/model_card.py` writes both from a training by a recipe of the same name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dalif_deploy.hw_models.errors import chosen

PREFIX = "zoo:"
_FOLDER = Path(__file__).parent


def zoo_names() -> list[str]:
    """In alphabetical order."""
    return sorted(path.parent.name for path in _FOLDER.glob("*/model.pt"))


def zoo_file(given: str | Path) -> Path:
    """The checkpoint that "zoo:NAME" means; any other path as it is.

    Raises:
        UserError: there is no such network.
    """
    if not str(given).startswith(PREFIX):
        return Path(given)
    name = str(given).removeprefix(PREFIX)
    chosen(dict.fromkeys(zoo_names()), name, "trained network")
    return _FOLDER / name / "model.pt"


def model_card(name: str) -> dict[str, Any] | None:
    """What is known of a trained network; None without one of that name.

    Keys: `recipe`, `seed`, `config`, `curve` (an entry an epoch), `hours`, `test_accuracy` (float, 0..1), `parameters`,
    `data` (name, licence), `chips` (an entry a chip and number of bits: accuracy over all test samples, cores, energy a
    sample, the check and what it covered), `versions`.
    """
    path = _FOLDER / name / "card.json"
    if not path.is_file():
        return None
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card
