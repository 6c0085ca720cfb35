"""What a compiled network can do at all, from its integers alone: which neurons no input can make fire, and which fire
at each step whatever comes.

Every register is followed as an interval over all inputs of the range, step by step, in the chip's own arithmetic. What
lies outside the interval can't happen. The reverse need not hold: the interval takes each message for itself, so
that a neuron of a deep layer that "can fire" may have no input that makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..arithmetic.lava.exactness import projection_bound
from ..chip_network.apply_weight import apply_weight
from ..chip_network.form import (
    BIAS_EXP_MAX,
    BIAS_MANT_MAX,
    BIAS_MANT_MIN,
    DECAY_UNITY,
    STATE_LIMIT,
    SYNAPSE_SHIFT,
    ChipNetwork,
    Population,
    Projection,
    encode_bias,
)
from ..progress import tracked

STEPS_FOLLOWED = 1000  # of a longer sample; what does not fire within them is then not called silent
V_LIMIT = STATE_LIMIT - 1
EXACT = 1 << 52


@dataclass(frozen=True)
class LayerPlausibility:
    """What a layer can do within a sample.

    Attributes:
        can_fire: bool [*shape], neurons for which no proof was found that they stay silent.
        always_fires: bool [*shape], neurons that fire at each step whatever comes.
        peak: largest membrane that any neuron can reach, in thresholds; None for a threshold of 0.
        complete: False where the sample is longer than what was followed.
    """

    can_fire: np.ndarray
    always_fires: np.ndarray
    peak: float | None
    complete: bool = True

    @property
    def silent(self) -> bool:
        """True if no input whatever can make any neuron fire."""
        return self.complete and not self.can_fire.any()


@dataclass
class _Interval:
    low: torch.Tensor  # float64, whole numbers
    high: torch.Tensor


def plausibility(
    network: ChipNetwork, steps: int | None = None, *, input_range: tuple[float, float] = (0.0, 1.0)
) -> dict[str, LayerPlausibility]:
    """Bounds of every population that fires by its kind.

    Args:
        steps: of a sample; the network's own by default.
        input_range: lowest and highest value of real-valued data, for inputs that the host makes biases of.
    """
    steps = steps or network.steps
    followed = min(steps, STEPS_FOLLOWED)
    depths = network.depths()
    cells = {
        name: _Cell(network, network.populations[name], input_range)
        for name in sorted(network.populations, key=lambda n: (depths[n], n))
    }
    constant = {name: _input_interval(network, name) for name in network.inputs}
    sent: dict[str, list[_Interval]] = {name: [] for name in network.populations}
    for t in tracked(range(followed), "what can fire, steps"):
        for name, cell in cells.items():
            arriving = []
            for projection in network.incoming(name):
                if t >= projection.delay:
                    source = constant.get(projection.source)
                    arriving.append((projection, source or sent[projection.source][t - projection.delay]))
            sent[name].append(cell.step(arriving))
    return {
        name: LayerPlausibility(cell.can.numpy(), cell.must.numpy(), cell.peak(), steps == followed)
        for name, cell in cells.items()
        if cell.population.fires
    }


def add_plausibility(
    layers: list[dict[str, Any]], network: ChipNetwork, input_range: tuple[float, float] = (0.0, 1.0)
) -> None:
    """Adds to each layer's report `can_fire` and `always_fires` (neurons; None of a readout, of what nothing
    leads into, or where a sample is too long to tell), and `peak`."""
    found = plausibility(network, input_range=input_range)
    for report in layers:
        layer = found.get(report["layer"])
        if not network.incoming(report["layer"]) and not any(
            host.target == report["layer"] for host in network.host_projections.values()
        ):
            layer = None  # the compiler's own, which fires at each step to carry a bias
        known = layer is not None and layer.complete
        report["can_fire"] = int(layer.can_fire.sum()) if layer is not None and known else None
        report["always_fires"] = int(layer.always_fires.sum()) if layer is not None and known else None
        report["peak"] = layer.peak if layer is not None and known else None


def _input_interval(network: ChipNetwork, name: str) -> _Interval:
    item = network.inputs[name]
    lowest, highest = (0, 1) if item.mode == "spikes" else (item.min_level, item.max_level)
    filled = torch.ones(item.shape, dtype=torch.float64)
    return _Interval(filled * lowest, filled * highest)


class _Cell:
    """A population whose current and membrane are intervals."""

    def __init__(self, network: ChipNetwork, population: Population, input_range: tuple[float, float]):
        self.population = population
        shape = population.shape

        def whole(register: np.ndarray) -> torch.Tensor:
            return torch.as_tensor(np.broadcast_to(register, shape).astype(np.float64))

        self.u_keep = whole(DECAY_UNITY - (population.du.astype(np.int64) + 1))
        self.v_keep = whole(DECAY_UNITY - population.dv.astype(np.int64))
        self.threshold = whole(population.vth.astype(np.int64) << SYNAPSE_SHIFT)
        self.bias = _bias_interval(network, population, input_range)
        zero, start = torch.zeros(shape, dtype=torch.float64), whole(population.v_start)
        self.u, self.v = _Interval(zero, zero), _Interval(start, start)
        self.lowest = whole(np.array(-V_LIMIT) if population.v_min is None else population.v_min)
        # steps that a membrane is still refractory at least, and at most
        self.waits = _Interval(zero, zero)
        self.can, self.must = torch.zeros(shape, dtype=torch.bool), torch.ones(shape, dtype=torch.bool)
        self.highest = torch.full(shape, -torch.inf, dtype=torch.float64)
        self.wild = sum(projection_bound(network, p) for p in network.incoming(population.name)) >= EXACT

    def step(self, arriving: list[tuple[Projection, _Interval]]) -> _Interval:
        """One step; gives what the population can send (0..1) at least and at most."""
        low, high = _decayed(self.u.low, self.u_keep), _decayed(self.u.high, self.u_keep)
        for projection, message in arriving:
            one, other = _weighted(projection, message, self.population.shape)
            low, high = low + one, high + other
        wraps = (low <= -STATE_LIMIT) | (high > STATE_LIMIT)
        if self.wild:
            wraps = torch.ones_like(wraps)
        self.u = _Interval(torch.where(wraps, -float(STATE_LIMIT), low), torch.where(wraps, float(STATE_LIMIT), high))
        low = (_decayed(self.v.low, self.v_keep) + self.u.low + self.bias.low).clamp(-V_LIMIT, V_LIMIT)
        high = (_decayed(self.v.high, self.v_keep) + self.u.high + self.bias.high).clamp(-V_LIMIT, V_LIMIT)
        low, high = torch.maximum(low, self.lowest), torch.maximum(high, self.lowest)
        if self.population.refractory:
            low, high = self._refractory(low, high)
        can, must = high > self.threshold, low > self.threshold
        self._wait(can, must)
        self.can |= can
        self.must &= must
        self.highest = torch.maximum(self.highest, high)
        self.v = self._after_reset(low, high, can, must)
        return _Interval(self._spikes(low), self._spikes(high))

    def _spikes(self, v: torch.Tensor) -> torch.Tensor:
        many = self.population.max_spikes
        return torch.floor((v - 1) / self.threshold).clamp(0, many) if many > 1 else (v > self.threshold).double()

    def _refractory(self, low: torch.Tensor, high: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Membranes with those that may, or must, still be 0."""
        may, must = self.waits.high > 0, self.waits.low > 0
        low = torch.where(may, low.clamp(max=0), low)
        high = torch.where(may, high.clamp(min=0), high)
        return torch.where(must, 0.0, low), torch.where(must, 0.0, high)

    def _wait(self, can: torch.Tensor, must: torch.Tensor) -> None:
        steps = float(self.population.refractory)
        low, high = ((w - 1).clamp(min=0) for w in (self.waits.low, self.waits.high))
        self.waits = _Interval(torch.where(must, steps, low), torch.where(can, steps, high))

    def _after_reset(self, low: torch.Tensor, high: torch.Tensor, can: torch.Tensor, must: torch.Tensor) -> _Interval:
        if self.population.reset == "zero":
            fired_low = fired_high = torch.zeros_like(low)
        else:
            fired_low = torch.maximum(low, self.threshold + 1) - self.threshold
            fired_high = high - self.threshold * self.population.max_spikes
            if self.population.max_spikes > 1:
                fired_low, fired_high = torch.zeros_like(low), torch.maximum(fired_high, self.threshold)
        silent_high = torch.minimum(high, self.threshold)
        either = _Interval(torch.minimum(low, fired_low), torch.maximum(silent_high, fired_high))
        kept = _Interval(torch.where(can, either.low, low), torch.where(can, either.high, high))
        return _Interval(torch.where(must, fired_low, kept.low), torch.where(must, fired_high, kept.high))

    def peak(self) -> float | None:
        """Largest membrane in thresholds."""
        if not self.highest.numel() or not (self.threshold > 0).all():
            return None
        return float((self.highest / self.threshold).max())


def _decayed(values: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Rises with `values`, so that the ends of an interval stay its ends."""
    return torch.sign(values) * torch.floor(values.abs() * keep / DECAY_UNITY)


def _weighted(projection: Projection, message: _Interval, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    weight = torch.as_tensor(projection.weight.astype(np.float64)) * 2.0 ** (projection.weight_exp + SYNAPSE_SHIFT)
    raising, lowering = weight.clamp(min=0), weight.clamp(max=0)

    def total(by_raising: torch.Tensor, by_lowering: torch.Tensor) -> torch.Tensor:
        summed = apply_weight(by_raising[None], raising, projection.geometry)
        return (summed + apply_weight(by_lowering[None], lowering, projection.geometry)).reshape(shape)

    return total(message.low, message.high), total(message.high, message.low)


def host_bias_fits(network: ChipNetwork, input_range: tuple[float, float]) -> bool:
    """Whether the bias registers hold what the host computes from any data of the range."""
    lowest, highest = BIAS_MANT_MIN << BIAS_EXP_MAX, BIAS_MANT_MAX << BIAS_EXP_MAX
    for target in {host.target for host in network.host_projections.values()}:
        wanted = _host_interval(network, network.populations[target], input_range)
        if float(wanted.low.min()) < lowest or float(wanted.high.max()) > highest:
            return False
    return True


def _bias_interval(network: ChipNetwork, population: Population, input_range: tuple[float, float]) -> _Interval:
    if not any(host.target == population.name for host in network.host_projections.values()):
        own = torch.as_tensor(np.broadcast_to(population.bias, population.shape).astype(np.float64))
        return _Interval(own, own)
    wanted = _host_interval(network, population, input_range)
    return _Interval(_register_value(wanted.low), _register_value(wanted.high))


def _host_interval(network: ChipNetwork, population: Population, input_range: tuple[float, float]) -> _Interval:
    low, high = (torch.zeros(population.shape, dtype=torch.float64) for _ in range(2))
    for host in network.host_projections.values():
        if host.target != population.name:
            continue
        pixels = torch.ones((1, *network.inputs[host.source].shape), dtype=torch.float64)
        weight, bias = torch.from_numpy(host.weight), torch.from_numpy(host.bias)
        ends = [
            apply_weight(pixels * above, weight.clamp(min=0), host.geometry, bias)
            + apply_weight(pixels * below, weight.clamp(max=0), host.geometry)
            for above, below in (input_range, input_range[::-1])
        ]
        low, high = low + ends[0].reshape(low.shape), high + ends[1].reshape(high.shape)
    return _Interval(low, high)


def _register_value(bias: torch.Tensor) -> torch.Tensor:
    """What the registers would hold, as far as they reach."""
    reach = np.clip(bias.numpy(), BIAS_MANT_MIN << BIAS_EXP_MAX, BIAS_MANT_MAX << BIAS_EXP_MAX)
    mant, exp = encode_bias(reach)
    return torch.as_tensor((mant << exp).astype(np.float64))
