"""Samples to show the networks: scikit-learn's digits in the sizes that the tutorials have, and simulated events."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from dalif_deploy.data import load_data
from dalif_deploy.data.simulated_events import SACCADES, simulated_frames


def digits(samples: int = 8, size: int = 8, channels: int = 1) -> torch.Tensor:
    """Images [samples, channels, size, size] in 0..1, enlarged bilinearly."""
    images = torch.from_numpy(load_data("digits:test").inputs[:samples])
    if size != images.shape[-1]:
        images = F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
    return images.repeat(1, channels, 1, 1)


def pixels(samples: int = 8, size: int = 28) -> torch.Tensor:
    """The same as rows, [samples, size * size]."""
    return digits(samples, size).flatten(1)


def spike_trains(steps: int, samples: int = 8, size: int = 28) -> torch.Tensor:
    """Rate-coded pixels, [steps, samples, size * size] of 0 and 1: each fires with its brightness as probability."""
    rates = pixels(samples, size).expand(steps, -1, -1)
    return torch.bernoulli(rates, generator=torch.Generator().manual_seed(1))


def events(steps: int, samples: int = 4, size: int = 34) -> torch.Tensor:
    """Digits as an event camera in saccades sees them: counts of events, [steps, samples, 2, size, size].

    As N-MNIST at its own size, 34; other sizes are the same scene enlarged.
    """
    images = digits(samples, size - 2 * SACCADES.margin)[:, 0].numpy()
    return torch.from_numpy(simulated_frames(images, SACCADES, steps)).float().transpose(0, 1).contiguous()


def spectrum(steps: int, samples: int = 8, bands: int = 32, channels: int = 1) -> torch.Tensor:
    """Like sound: tones that glide over `bands` frequency bands, [steps, samples, channels, bands] in 0..1."""
    generator = torch.Generator().manual_seed(2)
    start, speed = (torch.rand(samples, channels, generator=generator) for _ in range(2))
    t = torch.arange(steps)[:, None, None] / steps
    centre = (start + (speed - 0.5) * t).clamp(0, 1) * (bands - 1)
    return torch.exp(-(((torch.arange(bands) - centre[..., None]) / 2) ** 2)) * (0.6 + 0.4 * t[..., None])
