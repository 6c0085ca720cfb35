"""How a figure spreads over samples."""

from __future__ import annotations

import numpy as np


def over_samples(values: np.ndarray) -> dict[str, float]:
    """Mean, standard deviation (of these samples, not an estimate for others), best (smallest) and worst sample."""
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values)),
        "best": np.min(values).item(),
        "worst": np.max(values).item(),
    }
