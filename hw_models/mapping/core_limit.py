"""What limits a core, by the names that the chip's file and the report use."""

from __future__ import annotations

from typing import Literal, get_args

CoreLimit = Literal[
    "neurons_per_core",
    "synapse_memory_bits_per_core",
    "input_axons_per_core",
    "output_axons_per_core",
    "decay_profiles_per_core",
]
CORE_LIMITS: tuple[CoreLimit, ...] = get_args(CoreLimit)
