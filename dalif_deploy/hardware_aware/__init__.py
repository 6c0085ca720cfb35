"""Training with the chip's own arithmetic in the forward pass."""

from dalif_deploy.hardware_aware.chip_forward import ChipForward, ChipTarget
from dalif_deploy.hardware_aware.shared_decays import SharedDecays, shared_decays

__all__ = ["ChipForward", "ChipTarget", "SharedDecays", "shared_decays"]
