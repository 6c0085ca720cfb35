"""Random ChipNetworks of binary spikes that emulators of Loihi by others can hold, at every sign mode and exponent.

Three or four populations: convolutions where shapes allow, dense synapses elsewhere, on demand delayed skips and
loops, filtered currents and soft resets. Thresholds are drawn near what arrives, so that most populations fire.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dalif_deploy.hw_models.arithmetic.lava.exactness import population_bounds
from dalif_deploy.hw_models.chip_network.form import (
    VTH_MAX,
    ChipInput,
    ChipNetwork,
    ChipOutput,
    Geometry,
    Population,
    Projection,
)
from dalif_deploy.hw_models.chip_network.geometry import spatial_output
from dalif_deploy.hw_models.samples.recording import EncodedInput

SIGN_MODES = ("mixed", "excitatory", "inhibitory")


@dataclass(frozen=True)
class Features:
    """What networks may have.

    Attributes:
        delays: delayed skips and loops.
        filters: du below 4095.
        soft_reset: reset "subtract".
        per_neuron: registers of each neuron, else one for all of a population (biases are always a neuron's).
        beyond_membrane: membranes may grow until they clip; currents never wrap.
    """

    delays: bool = False
    filters: bool = False
    soft_reset: bool = False
    per_neuron: bool = False
    beyond_membrane: bool = False


def random_spiking_network(
    rng: np.random.Generator, features: Features, *, steps: int, samples: int, largest: int = 60
) -> tuple[ChipNetwork, EncodedInput]:
    """A network and its input spikes; about `largest` neurons a population at most."""
    shape = (2, int(rng.integers(3, 7)), int(rng.integers(3, 7))) if rng.random() < 0.5 else (int(rng.integers(5, 40)),)
    network = ChipNetwork("loihi1", steps, {"input": ChipInput("input", shape, "spikes")}, {}, {}, {}, {})
    rate = rng.uniform(0.1, 0.6)
    names = [f"p{index}" for index in range(int(rng.integers(3, 5)))]
    for index, name in enumerate(names):
        source = names[index - 1] if index else "input"
        come = network.source_shape(source)
        geometry, kernel = _convolution(rng, come) if len(come) == 3 and rng.random() < 0.7 else (None, ())
        if geometry is not None:
            outputs = geometry.groups * int(rng.integers(1, 4))
            go: tuple[int, ...] = (outputs, *spatial_output(come[1:], kernel, geometry))
            weight = _weights(rng, (outputs, come[0] // geometry.groups, *kernel))
        else:
            go = (int(rng.integers(4, largest)),)
            weight = _weights(rng, (int(np.prod(go)), int(np.prod(come))))
        network.populations[name] = _population(rng, name, go, features, fires=index < len(names) - 1)
        _project(network, rng, f"to_{name}", source, name, weight, geometry)
    if features.delays:
        skip = _weights(rng, (network.populations[names[-1]].size, network.populations[names[0]].size))
        _project(network, rng, "skip", names[0], names[-1], skip, None, int(rng.integers(0, 4)))
        loop = _weights(rng, (network.populations[names[1]].size,) * 2)
        _project(network, rng, "loop", names[1], names[1], loop, None, int(rng.integers(1, 5)))
    for population in network.populations.values():
        _stay_inside(network, population, steps, features)
        if population.fires:
            population.vth = _threshold(network, rng, population, rate, features)
    network.outputs["out"] = ChipOutput("out", names[-1], "membrane")
    messages = (rng.random((samples, steps, *shape)) < rate).astype(np.int32)
    return network, EncodedInput(steps, samples, {"input": messages})


def _convolution(rng: np.random.Generator, come: tuple[int, ...]) -> tuple[Geometry | None, tuple[int, ...]]:
    kernel = tuple(int(n) for n in rng.integers(1, 4, 2))
    stride, padding = tuple(int(n) for n in rng.integers(1, 3, 2)), tuple(int(n) for n in rng.integers(0, 2, 2))
    groups = int(rng.choice([g for g in (1, 2) if come[0] % g == 0]))
    geometry = Geometry(stride, padding, (1, 1), groups)
    fits = all(n + 2 * p >= k for n, p, k in zip(come[1:], padding, kernel, strict=True))
    return (geometry, kernel) if fits else (None, ())


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    sign, top = rng.choice(SIGN_MODES, p=(0.6, 0.3, 0.1)), int(rng.choice([8, 60, 255]))
    if sign == "mixed":
        weight = rng.integers(-(top + 1) // 2, top // 2 + 1, shape) * 2
    else:
        weight = rng.integers(0, top + 1, shape) * (1 if sign == "excitatory" else -1)
    return np.where(rng.random(shape) < 0.8, weight, 0).astype(np.int16)


def _population(
    rng: np.random.Generator, name: str, shape: tuple[int, ...], features: Features, *, fires: bool
) -> Population:
    def decay(*usual: int) -> np.ndarray:
        if rng.random() < 0.5:
            return np.array(rng.choice(usual))
        return rng.integers(0, 4096, shape if features.per_neuron else ())

    biased = rng.random() < 0.6
    mant = rng.integers(-4096, 4096, shape) if biased else np.array(0)
    exp = rng.integers(0, 8 if rng.random() < 0.3 else 3, shape) if biased else np.array(0)
    return Population(
        name,
        shape,
        du=decay(4095, 0, 4000) if features.filters and rng.random() < 0.6 else np.array(4095),
        dv=decay(0, 400, 4095),
        vth=np.array(0 if fires else VTH_MAX),
        bias_mant=mant,
        bias_exp=exp,
        reset="subtract" if features.soft_reset and rng.random() < 0.5 else "zero",
        fires=fires,
    )


def _project(
    network: ChipNetwork,
    rng: np.random.Generator,
    name: str,
    source: str,
    target: str,
    weight: np.ndarray,
    geometry: Geometry | None,
    delay: int = 0,
) -> None:
    exponent = int(rng.choice([0, 0, 0, 1, 2, 3, 5, 7]))
    network.projections[name] = Projection(name, source, target, weight, exponent, geometry, delay)


def _stay_inside(network: ChipNetwork, population: Population, steps: int, features: Features) -> None:
    """Lowers exponents, then weights and biases, until no register that must not overflow can.

    Before thresholds are known: a membrane that one holds above the clip fires, and the reset hides what was clipped.
    """
    while True:
        bounds = population_bounds(network, population, steps)
        if not bounds.wraps and (features.beyond_membrane or not bounds.clips):
            return
        incoming = network.incoming(population.name)
        largest = max(incoming, key=lambda projection: projection.weight_exp)
        if largest.weight_exp:
            largest.weight_exp -= 1
        elif bounds.bias > bounds.synaptic:
            population.bias_exp = np.maximum(population.bias_exp - 1, 0)
            population.bias_mant = np.trunc(population.bias_mant / 2).astype(np.int64)
        else:
            for projection in incoming:  # even numbers stay even
                projection.weight = (np.trunc(projection.weight / 4) * 2).astype(np.int16)


def _threshold(
    network: ChipNetwork, rng: np.random.Generator, population: Population, rate: float, features: Features
) -> np.ndarray:
    """Near what arrives in a step if sources fire at `rate`, sometimes at a limit of the register."""
    if rng.random() < 0.1:
        return np.array(rng.choice([0, 1, VTH_MAX]))
    typical = max(np.abs(population.bias).mean() / 64, 1.0)
    for projection in network.incoming(population.name):
        weight = projection.weight.astype(float).reshape(len(projection.weight), -1) * 2.0**projection.weight_exp
        # mean and spread of a sum over sources that fire at random
        typical += max(weight.sum(axis=1).mean(), 0.0) * rate + np.sqrt((weight**2).sum(axis=1) * rate).mean()
    factors = rng.uniform(0.1, 1.2, population.shape if features.per_neuron else ())
    return np.minimum((typical * factors).astype(np.int64), VTH_MAX)
