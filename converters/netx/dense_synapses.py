"""Dense synapses of .net files: weights that netx runs as they are written, and a delay for each synapse."""

from __future__ import annotations

import numpy as np

from dalif_deploy.hw_models.errors import UserError

MOST_DELAY = 62  # netx clips


def check_weights(name: str, weight: np.ndarray) -> None:
    """Refuses a matrix that netx would run with other weights, or not at all.

    Found by running lava-dl 0.6.0: its scaling (`optimize_weight_bits`) and Lava's clipping disagree on the sign of
    some matrices.

    Raises:
        UserError: naming the layer.
    """
    if not weight.any():
        raise UserError("all weights are 0, which netx can't scale", where=name, remedy="leave the layer out")
    run = _as_netx_runs(weight.astype(np.int64))
    changed = weight != run
    if changed.any():
        first = tuple(np.argwhere(changed)[0])
        raise UserError(
            f"netx runs {changed.sum()} of its weights as others ({weight[first]} as {run[first]:g})",
            where=name,
            remedy="change the outermost weight by one or two",
        )


def _as_netx_runs(weight: np.ndarray) -> np.ndarray:
    """float64: netx's shift to the top of 8 bits, then Lava's clip and truncation (`lava.utils.weightutils`)."""
    high, low = weight.max(), weight.min()
    if (high > 254 and low < 0) or (low < -256 and high > 0):
        weight = np.clip(weight, -256, 254)
        high, low = weight.max(), weight.min()
    signed = low < 0 <= high  # to netx; Lava calls a matrix without a positive weight inhibitory
    down = np.inf if low >= 0 else (-128 if signed else -256) / low
    up = np.inf if high <= 0 else (127 if signed else 255) / high
    scale = min(down, up)
    shift = int(np.floor(np.log2(scale))) + signed
    common = next(n for n in range(8, -1, -1) if not (weight % (1 << n)).any())
    bits = 8 - shift - (common - signed)
    sign = -1 if high <= 0 else 1
    mixed = low < 0 < high
    held = np.clip(sign * weight * 2**shift, -256 if mixed else 0, 255)
    drop = 8 - bits + mixed
    if drop < 0:  # numpy shifts by a negative number to 0
        return np.zeros(weight.shape)
    kept: np.ndarray = sign * (held >> drop << drop) / 2**shift
    return kept


def split_by_delay(name: str, weight: np.ndarray, delays: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Matrices of equal delay, whose sum is `weight`.

    Args:
        weight: [targets, sources].
        delays: in steps, as the file has them: one, one a target neuron, one a source or one a synapse.

    Raises:
        UserError: another number of delays, or negative ones.
    """
    delays = np.minimum(delays, MOST_DELAY).astype(np.int64)
    targets, sources = weight.shape
    if delays.size == 1:
        delays = delays.reshape(1, 1)
    elif delays.ndim == 1 and delays.size == targets:
        delays = delays[:, None]
    elif delays.ndim == 1 and delays.size == sources:
        delays = delays[None]
    elif delays.shape != weight.shape:
        raise UserError(
            f"{delays.size} delays for {targets} neurons",
            where=name,
            remedy="give one delay, one per neuron, or one per synapse",
        )
    if delays.min() < 0:
        raise UserError(f"a delay of {delays.min()} steps", where=name, remedy="delays are 0 to 62")
    delays = np.broadcast_to(delays, weight.shape)
    parts = [(int(delay), np.where(delays == delay, weight, 0)) for delay in np.unique(delays)]
    return [part for part in parts if part[1].any()] or parts[:1]


def join_delays(name: str, parts: list[tuple[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray | None]:
    """The contrary: one matrix and its delays as SLAYER writes them, one a target neuron, or else one a synapse.

    Returns:
        weight [targets, sources] and delays [targets] or [targets, sources], None where all are 0.

    Raises:
        UserError: two synapses between the same neurons; a delay that netx can't hold.
    """
    weight = np.sum([w for _, w in parts], axis=0)
    if np.sum([w != 0 for _, w in parts], axis=0).max() > 1:
        raise UserError("two synapses between the same neurons", where=name, remedy="use --target lava")
    late = max(delay for delay, _ in parts)
    if late > MOST_DELAY:
        raise UserError(f"a delay of {late} steps", where=name, remedy=f"netx has up to {MOST_DELAY}")
    if not late:
        return weight, None
    delays = np.sum([delay * (w != 0) for delay, w in parts], axis=0)
    row = delays.max(axis=1)
    return weight, row if (delays == np.where(weight != 0, row[:, None], 0)).all() else delays
