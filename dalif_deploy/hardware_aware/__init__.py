"""Training with the chip's own arithmetic in the forward pass."""

from dalif_deploy.hardware_aware.chip_forward import ChipForward, ChipTarget

__all__ = ["ChipForward", "ChipTarget"]
