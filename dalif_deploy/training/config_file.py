"""A configuration from a .toml, .yaml or .json file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dalif_deploy.networks import NeuronSpec
from dalif_deploy.training.config import TrainConfig
from hw_models.errors import UserError


def read_config_file(path: str | Path) -> dict[str, Any]:
    """Fields of `TrainConfig`, a table `neuron` among them; their values are checked by `TrainConfig`.

    Raises:
        UserError: not readable, of another kind, or with a key that is no field (named).
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError("cannot be read", where=str(path), remedy="check the path") from error
    fields = _parse(path, text)
    if not isinstance(fields, dict) or not isinstance(fields.get("neuron", {}), dict):
        raise UserError("is no table of fields", where=str(path), remedy="see dalif-train --print-config")
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
        import yaml

        parse = yaml.safe_load
    else:
        raise UserError("is no .toml, .yaml or .json", where=str(path), remedy="rename it")
    try:
        return parse(text)
    except Exception as error:  # each parser has its own errors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"not readable as {path.suffix[1:]} ({reason})", where=str(path), remedy="mend it") from error
