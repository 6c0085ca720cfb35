"""A configuration from a .toml, .yaml or .json file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.damage import damage_in_one_line
from dalif_deploy.networks import NeuronSpec
from dalif_deploy.training.config import TrainConfig

LARGEST = 1 << 16  # characters; a file with every field has a thousand
DEEPEST = 16  # brackets; a list of channels has one


def read_config_file(path: str | Path) -> dict[str, Any]:
    """Fields of `TrainConfig`, a table `neuron` among them; their values are checked by `TrainConfig`.

    Raises:
        UserError: not readable, of another kind, or with a key that is no field (named).
    """
    path = Path(path)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise UserError("cannot be read", where=str(path), remedy="check the path") from error
    if len(text) > LARGEST:
        raise UserError(f"has more than {LARGEST} characters", where=str(path), remedy="see dalif-train --print-config")
    fields = _parse(path, text)
    if not isinstance(fields, dict) or not isinstance(fields.get("neuron", {}), dict):
        raise UserError("is not a table of settings", where=str(path), remedy="see dalif-train --print-config")
    unknown = [str(key) for key in fields if key not in TrainConfig.model_fields]
    unknown += [f"neuron.{key}" for key in fields.get("neuron", {}) if key not in NeuronSpec.model_fields]
    if unknown:
        what = f"unknown {'key' if len(unknown) == 1 else 'keys'} {', '.join(unknown)}"
        raise UserError(what, where=str(path), remedy="see dalif-train --print-config")
    return fields


def _parse(path: Path, text: str) -> Any:
    if path.suffix == ".json":
        parse: Any = json.loads
    elif path.suffix == ".toml":
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        parse = tomllib.loads
    elif path.suffix in (".yaml", ".yml"):
        parse = _parse_yaml
    else:
        raise UserError("is not a .toml, .yaml or .json file", where=str(path), remedy="rename it")
    with damage_in_one_line(f"not readable as {path.suffix[1:]}", where=path, remedy="correct it"):
        return parse(text)


def _parse_yaml(text: str) -> Any:
    import yaml

    depth = 0
    for token in yaml.scan(text):
        # a few anchors that hold each other ten times over make a value that no memory can hold written out
        if isinstance(token, yaml.AliasToken):
            raise ValueError("aliases (*) have no place here")
        # PyYAML's time grows with the square of the depth
        depth += isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken)
        depth -= isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken)
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} brackets within each other")
    return yaml.safe_load(text)
