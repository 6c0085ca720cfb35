"""Turns real data into the integers that enter the chip, once, for every engine alike."""

from __future__ import annotations

import numpy as np
import torch

from ..chip_network.apply_weight import apply_weight
from ..chip_network.form import ChipInput, ChipNetwork, HostProjection, encode_bias
from ..chips.description import load_chip
from ..errors import UserError
from .input_data import InputData, by_input, sample_count, steps_of
from .recording import EncodedInput
from .value_range import require_in_range

HOST_CHUNK = 16  # samples whose host layer is computed at a time: few enough to stay in the caches


def encode_input(network: ChipNetwork, data: InputData, *, steps: int | None = None, host: bool = True) -> EncodedInput:
    """Encodes samples.

    Args:
        data: [N, *shape] for data that is the same at each step, or [N, T, *shape]; real values for graded and
            bias inputs, 0/1 for spikes. One array, or one for each input by its name.
        steps: steps of each sample where the data does not say; the network's own by default.
        host: False leaves the host's layers, and so `bias`, to whoever asks.

    Raises:
        UserError: wrong shape, more steps than the network was compiled for, values that are no spikes or beyond the
            range that it was compiled for, a time-varying input for a bias, a bias out of range.
    """
    checked = by_input(data, {name: item.shape for name, item in network.inputs.items()})
    encoded = EncodedInput(steps_of(checked) or steps or network.steps, sample_count(data))
    require_steps(network, encoded.steps)
    for name, (array, moving) in checked.items():
        chip_input = network.inputs[name]
        require_in_range(chip_input, array)
        if chip_input.mode != "bias":
            encoded.messages[name] = message_levels(chip_input, array if moving else array[:, None])
        elif moving:
            raise UserError(
                "the data changes over time, but the network takes its input as a constant bias",
                where=name,
                remedy="export with --input graded, or with --input spikes for events",
            )
    for target in {each.target: None for each in network.host_projections.values()} if host else ():
        encoded.bias[target] = _host_bias(network, target, {name: array for name, (array, _) in checked.items()})
    return encoded


def require_steps(network: ChipNetwork, steps: int) -> None:
    """Raises UserError for samples of more steps than the ranges of the registers were proved for."""
    if steps > network.steps:
        raise UserError(
            f"{steps} steps per sample, but the network was exported for {network.steps}; its registers are proved "
            "safe only up to there",
            remedy=f"export it again with --steps {steps}",
        )


def message_levels(chip_input: ChipInput, data: np.ndarray) -> np.ndarray:
    """Messages of real values, int32 of the same shape.

    Raises:
        UserError: values other than 0 and 1 for an input of spikes.
    """
    if chip_input.mode == "spikes":
        if not np.isin(data, (0, 1)).all():
            raise UserError(
                "the data has values other than 0 and 1, but the network's input takes spikes",
                where=chip_input.name,
                remedy="export with --input bias or --input graded for images",
            )
        return data.astype(np.int32)
    # in place and without np.clip, whose call alone costs as much as an image's levels
    levels: np.ndarray = np.divide(data, chip_input.step, dtype=np.float64)
    np.rint(levels, out=levels)
    np.maximum(levels, chip_input.min_level, out=levels)
    np.minimum(levels, chip_input.max_level, out=levels)
    return levels.astype(np.int32)


def _host_bias(network: ChipNetwork, target: str, data: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    shape, registers = network.populations[target].shape, load_chip(network.chip).registers
    hosts = [host for host in network.host_projections.values() if host.target == target]
    samples = len(data[hosts[0].source])
    mantissas = np.empty((samples, *shape), dtype=np.int16)
    exponents = np.empty((samples, *shape), dtype=np.int16)
    for start in range(0, samples, HOST_CHUNK):
        part = slice(start, start + HOST_CHUNK)
        current = sum(_host_current(host, data[host.source][part], shape) for host in hosts)
        try:
            mantissas[part], exponents[part] = encode_bias(
                np.asarray(current), registers.largest_mantissa, registers.max_bias_exp
            )
        except OverflowError as error:
            raise UserError(
                f"{error} (largest wanted: {np.abs(current).max():.0f})",
                where=hosts[0].name,
                remedy="scale the data to the range that the network was exported for",
            ) from error
    return mantissas, exponents


def _host_current(host: HostProjection, data: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    weight, bias = torch.from_numpy(host.weight), torch.from_numpy(host.bias)
    x = torch.from_numpy(data.astype(np.float64))
    return apply_weight(x, weight, host.geometry, bias).reshape(len(data), *shape).numpy()
