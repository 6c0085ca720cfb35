"""The targets of dalif-export: a file each, and the table that names them.

Nothing here imports torch or nir before a target is asked to write: the command lists the table in its --help.
"""

from __future__ import annotations

from .c_target import CTarget
from .lava_target import LavaTarget
from .netx_target import NetxTarget
from .nir_target import NirTarget
from .norse_target import NorseTarget
from .onnx_target import OnnxTarget
from .sanafe_target import SanafeTarget
from .target import Target

__all__ = ["TARGETS", "Target"]

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        NirTarget(),
        LavaTarget(),
        CTarget(),
        NorseTarget(),
        NetxTarget(),
        SanafeTarget(),
        OnnxTarget(),
    )
}
