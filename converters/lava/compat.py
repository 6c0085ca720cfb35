"""Makes lava-nc 0.10.0 (the last one: its repositories are archived) importable on Python 3.11+ and numpy 2.4+.

Two cures, each applied only where it is needed:

* Python 3.11 refuses a dataclass default that has no hash. `lava.magma.compiler.var_model` has such defaults
  (`x: ByteEncoder = ByteEncoder()`); the dataclasses of that one module get a hash while it is imported.
* numpy 2.4 dropped the `newshape` keyword of `numpy.reshape`. Lava's reshape and flatten ports use it.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dalif_deploy.hw_models.errors import UserError

VAR_MODEL = "lava.magma.compiler.var_model"
INSTALL = 'pip install "dalif-deploy[lava]"'
INSTALL_ABOVE_310 = f"{INSTALL} && pip install --no-deps --ignore-requires-python lava-nc==0.10.0"


def require_lava() -> None:
    """Checks, without importing Lava, that it is installed.

    Raises:
        UserError: it is not; the message holds the command that installs it on this Python.
    """
    try:
        found = importlib.util.find_spec("lava.proc.lif.process") is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        command = INSTALL if sys.version_info < (3, 11) else INSTALL_ABOVE_310
        raise UserError("Lava is not installed", remedy=f"install it with: {command}")


def prepare_lava() -> None:
    """Makes `import lava...` work on this Python and numpy. Lava sets the process start method to fork at import.

    Raises:
        UserError: Lava is not installed.
    """
    require_lava()
    if sys.version_info >= (3, 11) and VAR_MODEL not in sys.modules:
        with _hashable_dataclasses(VAR_MODEL):
            importlib.import_module(VAR_MODEL)
    if "newshape" not in inspect.signature(np.reshape).parameters:
        _cure_reshape_ports()


@contextmanager
def _hashable_dataclasses(module: str) -> Iterator[None]:
    """While this lasts, dataclasses defined in `module` are given a hash; all others are as ever."""
    original = dataclasses.dataclass

    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        if cls is None:
            return functools.partial(dataclass, **options)
        if cls.__module__ == module:
            options.setdefault("unsafe_hash", True)
        return original(cls, **options)

    dataclasses.dataclass = dataclass
    try:
        yield
    finally:
        dataclasses.dataclass = original


def _cure_reshape_ports() -> None:
    from lava.magma.core.process.ports.ports import ReshapePort

    def forward(self: ReshapePort) -> functools.partial[np.ndarray]:
        return functools.partial(np.reshape, shape=self.shape)

    def backward(self: ReshapePort) -> functools.partial[np.ndarray]:
        return functools.partial(np.reshape, shape=self.old_shape)

    ReshapePort.get_transform_func_fwd = forward
    ReshapePort.get_transform_func_bwd = backward
