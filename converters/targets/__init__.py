"""The targets of dalif-export: a file each, and the table that names them.

A target writes its files into a fresh folder and returns what export.json shall say of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..source import Source
from .c import write_c_target
from .lava import write_lava_target
from .netx import write_netx_target
from .nir import write_nir_target
from .norse import write_norse_target
from .onnx import write_onnx_target
from .request import ExportRequest
from .sanafe import write_sanafe_target

__all__ = ["TARGETS", "ExportRequest"]

TARGETS: dict[str, Callable[[Source, ExportRequest, Path], dict[str, Any]]] = {
    "nir": write_nir_target,
    "lava": write_lava_target,
    "norse": write_norse_target,
    "netx": write_netx_target,
    "sanafe": write_sanafe_target,
    "onnx": write_onnx_target,
    "c": write_c_target,
}
