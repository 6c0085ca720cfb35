"""Recipes: a configuration by name, each of its values with the source that it comes from.

A recipe is a file in `dalif_deploy/training/recipes`: `about`, `ran` ("to the end", or that it was not), `works` (what
sources name), `differs` (where it is not what its source does), and in `fields` and `neuron` the fields of
`TrainConfig` and of its neuron, each `{ value, source }`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from dalif_deploy.hw_models.errors import chosen

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Recipe:
    """See above.

    Attributes:
        fields: of `TrainConfig`, `neuron` among them.
        sources: of each field; "neuron.NAME" for the neuron's.
    """

    name: str
    about: str
    ran: str
    works: list[str]
    differs: list[str]
    fields: dict[str, Any]
    sources: dict[str, str]


def recipe_names() -> list[str]:
    """In alphabetical order."""
    folder = files("dalif_deploy.training") / "recipes"
    return sorted(path.name.removesuffix(".toml") for path in folder.iterdir() if path.name.endswith(".toml"))


def read_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UserError: there is none.
    """
    chosen(dict.fromkeys(recipe_names()), name, "recipe")
    text = (files("dalif_deploy.training") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    told = tomllib.loads(text)
    parts = {"": told["fields"], "neuron.": told["neuron"]}
    return Recipe(
        name,
        told["about"],
        told["ran"],
        told["works"],
        told["differs"],
        {key: each["value"] for key, each in told["fields"].items()}
        | {"neuron": {key: each["value"] for key, each in told["neuron"].items()}, "recipe": name},
        {prefix + key: each["source"] for prefix, part in parts.items() for key, each in part.items()},
    )
