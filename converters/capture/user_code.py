"""A network in a person's own code: `mynet.py:build` or `package.module:NAME`, as web servers name applications."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError

FORM = "give FILE.py:NAME or package.module:NAME, where NAME is a function or class without arguments, or a module"


def names_user_code(model: str) -> bool:
    """True for FILE.py:NAME and package.module:NAME, False for a path of a file."""
    place, colon, name = model.rpartition(":")
    if not colon or not name.isidentifier() or Path(model).exists():
        return False
    return place.endswith(".py") or all(part.isidentifier() for part in place.split("."))


def load_user_module(model: str, weights: str | Path | None = None) -> nn.Module:
    """Runs the person's code and gives the module that NAME is or makes, in evaluation mode.

    Args:
        weights: a file of `torch.save(module.state_dict(), file)`; loaded without running code.

    Raises:
        UserError: no such file or name, code that fails, something that is no module, weights of another network.
    """
    place, _, name = model.rpartition(":")
    code = _from_file(Path(place), model) if place.endswith(".py") else _from_package(place, model)
    if not hasattr(code, name):
        known = ", ".join(n for n in vars(code) if callable(getattr(code, n)) and not n.startswith("_"))
        raise UserError(f"has no {name!r}", where=place, remedy=f"choose one of {known}" if known else FORM)
    found = getattr(code, name)
    if not isinstance(found, nn.Module):
        if not callable(found):
            raise UserError(f"{name!r} is a {type(found).__name__}", where=place, remedy=FORM)
        try:
            found = found()
        except Exception as error:
            raise UserError(f"{name}() failed: {_one_line(error)}", where=place, remedy=FORM) from error
    if not isinstance(found, nn.Module):
        raise UserError(f"{name}() gives a {type(found).__name__}, not a torch module", where=place, remedy=FORM)
    if weights is not None:
        _load_weights(found, Path(weights))
    return found.eval()


def _from_file(path: Path, model: str) -> ModuleType:
    if not path.exists():
        raise UserError("no such file", where=str(path), remedy="check the path")
    name = f"dalif_user_code_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError("is not a Python file", where=str(path), remedy=FORM)
    code = importlib.util.module_from_spec(spec)
    sys.modules[name] = code  # dataclasses and pickles look their module up
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)  # its neighbours are imported as when it is run
    try:
        spec.loader.exec_module(code)
    except Exception as error:
        raise UserError(
            f"running it failed: {_one_line(error)}", where=str(path), remedy="try it with python"
        ) from error
    finally:
        sys.path.remove(folder)
    return code


def _from_package(place: str, model: str) -> ModuleType:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not (place == error.name or place.startswith(error.name + ".")):
            raise UserError(f"needs {error.name}", where=place, remedy=f"install {error.name}") from error
        raise UserError("no such module", where=place, remedy=FORM) from error
    except Exception as error:
        raise UserError(f"importing it failed: {_one_line(error)}", where=place, remedy="try it with python") from error
    finally:
        sys.path.remove(here)


def _load_weights(module: nn.Module, path: Path) -> None:
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError("no such file", where=str(path), remedy="check the path") from error
    except Exception as error:
        raise UserError(
            f"can't be read as weights: {_one_line(error)}",
            where=str(path),
            remedy="write it with torch.save(module.state_dict(), file)",
        ) from error
    for key in ("state_dict", "model_state_dict", "model", "net"):  # what Lightning and many scripts wrap it in
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        raise UserError(
            "holds no state_dict", where=str(path), remedy="write it with torch.save(module.state_dict(), file)"
        )
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"weights of another network: {_one_line(error)}", where=str(path), remedy="give the network's own weights"
        ) from error


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])}" if lines else type(error).__name__
