"""Turns real data into the integers that enter the chip, once, for every engine alike."""

from __future__ import annotations

import numpy as np
import torch

from hw_models.chip_network import ChipInput, ChipNetwork, HostProjection, encode_bias
from hw_models.errors import UserError
from hw_models.linear_operator import apply_weight
from hw_models.recording import EncodedInput

HOST_CHUNK = 256  # samples whose host layer is computed at a time, to bound memory


def encode_input(network: ChipNetwork, data: np.ndarray, *, steps: int | None = None) -> EncodedInput:
    """Encodes samples for a network with one input.

    Args:
        data: [N, *shape] for data that is the same at each step, or [N, T, *shape]; real values for graded and
            bias inputs, 0/1 for spikes.
        steps: steps of each sample where the data does not say; the network's own by default.

    Raises:
        UserError: wrong shape, values that are no spikes, a time-varying input for a bias, a bias out of range.
    """
    if len(network.inputs) != 1:
        raise UserError(
            f"the network has {len(network.inputs)} inputs, the data has one",
            remedy="use a network with one input",
        )
    (chip_input,) = network.inputs.values()
    data, moving = _check_shape(chip_input, np.asarray(data))
    steps = data.shape[1] if moving else (steps or network.steps)
    encoded = EncodedInput(steps=steps, samples=len(data))
    if chip_input.mode == "bias":
        if moving:
            raise UserError(
                "the data changes over time, but the network takes its input as a constant bias",
                where=chip_input.name,
                remedy="export with --input graded, or with --input spikes for events",
            )
        for host in network.host_projections.values():
            encoded.bias[host.target] = _host_bias(network, host, data)
    else:
        encoded.messages[chip_input.name] = _messages(chip_input, data if moving else data[:, None])
    return encoded


def _check_shape(chip_input: ChipInput, data: np.ndarray) -> tuple[np.ndarray, bool]:
    shape = chip_input.shape
    if data.shape[1:] == shape:
        return data, False
    if data.ndim == len(shape) + 2 and data.shape[2:] == shape:
        return data, True
    raise UserError(
        f"data of shape {list(data.shape)} does not fit the network's input {list(shape)}",
        where=chip_input.name,
        remedy=f"give [N, {', '.join(map(str, shape))}] or [N, T, {', '.join(map(str, shape))}]",
    )


def _messages(chip_input: ChipInput, data: np.ndarray) -> np.ndarray:
    if chip_input.mode == "spikes":
        if not np.isin(data, (0, 1)).all():
            raise UserError(
                "the data has values other than 0 and 1, but the network's input takes spikes",
                where=chip_input.name,
                remedy="export with --input bias or --input graded for images",
            )
        return data.astype(np.int32)
    levels = np.rint(data.astype(np.float64) / chip_input.step)
    return np.clip(levels, chip_input.min_level, chip_input.max_level).astype(np.int32)


def _host_bias(network: ChipNetwork, host: HostProjection, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shape = network.populations[host.target].shape
    weight, bias = torch.from_numpy(host.weight), torch.from_numpy(host.bias)
    mantissas, exponents = [], []
    for start in range(0, len(data), HOST_CHUNK):
        part = torch.from_numpy(data[start : start + HOST_CHUNK].astype(np.float64))
        current = apply_weight(part, weight, host.geometry, bias).reshape(len(part), *shape)
        try:
            mantissa, exponent = encode_bias(current.numpy())
        except OverflowError as error:
            raise UserError(
                f"{error} (largest wanted: {current.abs().max().item():.0f})",
                where=host.name,
                remedy="scale the data to the range that the network was exported for",
            ) from error
        mantissas.append(mantissa.astype(np.int16))
        exponents.append(exponent.astype(np.int16))
    empty = np.zeros((0, *shape), dtype=np.int16)
    return np.concatenate(mantissas or [empty]), np.concatenate(exponents or [empty])
