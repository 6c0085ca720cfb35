"""Random changes to training images.

Written on whole batches with a draw for each image: torchvision's transforms draw once for a batch, and one call an
image costs more than a training step of a small network. Draws are made by numpy, so that they are the same on every
device; the images are changed where they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from dalif_deploy.training.config import TrainConfig


class Part(NamedTuple):
    """The images of a batch that are here; draws are made for all `size` of it."""

    size: int
    here: slice


def augment(x: torch.Tensor, config: TrainConfig, rng: np.random.Generator, part: Part | None = None) -> torch.Tensor:
    """The configuration's changes, in the order shift, flip, crop, cutout. x: [N, ..., H, W], `part` of a batch."""
    part = part or Part(len(x), slice(None))
    x = shifted(x, config.shift, rng)
    x = flipped(x, rng, part) if config.flip else x
    x = cropped(x, config.crop_padding, rng, part)
    return cut_out(x, config.cutout, rng, part)


def shifted(x: torch.Tensor, reach: int, rng: np.random.Generator) -> torch.Tensor:
    """Images moved by up to `reach` pixels, a batch at a time, zeros moving in."""
    if reach == 0:
        return x
    down, right = (int(n) for n in rng.integers(-reach, reach + 1, 2))
    return F.pad(x, (right, -right, down, -down))


def flipped(x: torch.Tensor, rng: np.random.Generator, part: Part | None = None) -> torch.Tensor:
    """Each image mirrored, left for right, with probability one half."""
    size, here = part or Part(len(x), slice(None))
    chosen = torch.from_numpy(rng.random(size)[here] < 0.5).to(x.device)
    return torch.where(_per_image(chosen, x), x.flip(-1), x)


def cropped(x: torch.Tensor, padding: int, rng: np.random.Generator, part: Part | None = None) -> torch.Tensor:
    """Each image cut, at its own size and a place of its own, from itself with `padding` zeros at all sides."""
    if padding == 0:
        return x
    height, width = x.shape[-2:]
    size, here = part or Part(len(x), slice(None))
    down, right = torch.from_numpy(rng.integers(0, 2 * padding + 1, (2, size))[:, here]).to(x.device)
    padded = F.pad(x, (padding,) * 4)
    rows = _per_image(down, x)[..., 0] + torch.arange(height, device=x.device)  # [N, 1, ..., H]
    columns = _per_image(right, x)[..., 0] + torch.arange(width, device=x.device)
    padded = padded.gather(-2, rows[..., None].expand(*x.shape[:-1], padded.shape[-1]))
    return padded.gather(-1, columns[..., None, :].expand(x.shape))


def cut_out(x: torch.Tensor, side: int, rng: np.random.Generator, part: Part | None = None) -> torch.Tensor:
    """A square of zeros in each image (DeVries and Taylor, arXiv 1708.04552), its centre anywhere in the image."""
    if side == 0:
        return x
    height, width = x.shape[-2:]
    size, here = part or Part(len(x), slice(None))
    row, column = (torch.from_numpy(rng.integers(0, n, size)[here] - side // 2).to(x.device) for n in (height, width))
    down = torch.arange(height, device=x.device) - row[:, None]
    right = torch.arange(width, device=x.device) - column[:, None]
    inside = ((down >= 0) & (down < side))[:, :, None] & ((right >= 0) & (right < side))[:, None, :]
    return x.masked_fill(inside.view(len(x), *[1] * (x.ndim - 3), height, width), 0)


def _per_image(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """[N] shaped to meet [N, ...]."""
    return values.view(-1, *[1] * (x.ndim - 1))
