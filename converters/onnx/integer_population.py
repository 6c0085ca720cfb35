"""A population's step in int64 ONNX operators (equations: `dalif_deploy.hw_models.chip_network`)."""

from __future__ import annotations

import numpy as np

from dalif_deploy.hw_models.chip_network.form import (
    DECAY_UNITY,
    NO_CURRENT_FILTER,
    STATE_LIMIT,
    SYNAPSE_SHIFT,
    Population,
)

from .builder import GraphBuilder, Value

CONVOLUTION_BITS, SUM_BITS = 24, 32  # registers that Lava's convolution and its synaptic current wrap in


class IntegerPopulation:
    """Current and membrane of [N, *shape] neurons.

    Args:
        wraps: False if it is proven that the current stays within its register.
        bias: the samples' own, int32 [N, *shape]; None for the population's.
    """

    def __init__(self, population: Population, wraps: bool, bias: Value | None, graph: GraphBuilder):
        self.population, self.graph, self._wraps = population, graph, wraps
        self._v_keep = DECAY_UNITY - population.dv.astype(np.int64)
        self._u_keep = DECAY_UNITY - 1 - population.du.astype(np.int64)
        self._filters = bool((population.du != NO_CURRENT_FILTER).any())
        self._threshold = graph.constant(population.vth.astype(np.int64) << SYNAPSE_SHIFT)
        self._bias: Value | None = None
        if bias is not None:
            self._bias = graph.cast(bias, np.int64)
        elif population.bias.any():
            self._bias = graph.constant(population.bias)
        self.u: Value | None = None
        self.v = graph.batched(np.broadcast_to(population.v_start, population.shape).astype(np.int64))
        self._waits: Value | None = None  # steps that each membrane is still refractory

    def step(self, dense: list[Value], convolved: list[Value]) -> Value:
        """Spikes, uint8 [N, *shape]; `v` is the membrane after the reset.

        Args:
            dense, convolved: what each projection brings, int64 [N, *shape].
        """
        graph = self.graph
        current = self._current(dense, convolved)
        if current is not None:
            if self._filters and self.u is not None:
                current = self._wrapped_sum(self._decayed(self.u, self._u_keep) + current)
            self.u = self._register(current)
        v = self._decayed(self.v, self._v_keep)
        for drive in (self.u, self._bias):
            v = v if drive is None else v + drive
        limit = STATE_LIMIT - 1
        v = graph.op("Clip", v, self._constant(-limit), self._constant(limit))
        lowest = self.population.v_min
        if lowest is not None:
            v = graph.op("Max", v, graph.constant(lowest.astype(np.int64)))
        if self._waits is not None:
            v = graph.op("Where", self._waits > self._constant(0), self._constant(0), v)
        fired = v > self._threshold
        self._wait(fired)
        sent = self._spikes(v, fired)
        if self.population.reset == "zero":
            self.v = graph.op("Where", fired, self._constant(0), v)
        else:
            self.v = v - sent * self._threshold
        return graph.cast(sent, np.uint8)

    def _spikes(self, v: Value, fired: Value) -> Value:
        many, graph = self.population.max_spikes, self.graph
        if many == 1:
            return graph.cast(fired, np.int64)
        times = graph.op("Div", v - self._constant(1), self._threshold)  # toward zero
        return graph.op("Clip", times, self._constant(0), self._constant(many))

    def _wait(self, fired: Value) -> None:
        if not self.population.refractory:
            return
        graph, zero = self.graph, self._constant(0)
        left = zero if self._waits is None else graph.op("Max", self._waits - self._constant(1), zero)
        self._waits = graph.op("Where", fired, self._constant(self.population.refractory), left)

    def _current(self, dense: list[Value], convolved: list[Value]) -> Value | None:
        parts = [*dense, *(self._wrap(part, CONVOLUTION_BITS) for part in convolved)]
        if not parts:
            return None
        total = sum(parts[1:], parts[0])
        return self._wrapped_sum(total * self._constant(1 << SYNAPSE_SHIFT))

    def _wrapped_sum(self, x: Value) -> Value:
        return self._wrap(x, SUM_BITS)

    def _wrap(self, x: Value, bits: int) -> Value:
        """As a signed integer of so many bits would hold it."""
        if not self._wraps:
            return x
        half = self._constant(1 << (bits - 1))
        return self.graph.op("Mod", x + half, self._constant(1 << bits)) - half

    def _register(self, u: Value) -> Value:
        """Lava's own order of the two tests: the second looks at the first's result but starts from the sum."""
        if not self._wraps:
            return u
        graph, turn = self.graph, self._constant(2 * STATE_LIMIT)
        first = graph.op("Where", u > self._constant(STATE_LIMIT), u - turn, u)
        return graph.op("Where", first > self._constant(-STATE_LIMIT), first, u + turn)

    def _decayed(self, x: Value, keep: np.ndarray) -> Value:
        """trunc(x * keep / 4096): ONNX divides integers toward zero."""
        if (keep == DECAY_UNITY).all():
            return x
        return self.graph.op("Div", x * self.graph.constant(keep), self._constant(DECAY_UNITY))

    def _constant(self, value: int) -> Value:
        return self.graph.constant(np.array(value, np.int64))
