"""Counts against an enumeration of every synapse of every spike, on random networks."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dalif_deploy.hw_models.chip_network.form import (
    ChipInput,
    ChipNetwork,
    Geometry,
    HostProjection,
    Population,
    Projection,
)
from dalif_deploy.hw_models.chip_network.geometry import spatial_output
from dalif_deploy.hw_models.energy.counts import ActivityCounter, count_activity
from dalif_deploy.hw_models.energy.fan_out import dense_macs, fan_out
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.recording import EncodedInput, Recording
from dalif_deploy.hw_models.simulator import simulate


def population(name, shape, rng, *, fires=True, bias=True):
    return Population(
        name=name,
        shape=shape,
        du=np.array(rng.choice([4095, 2000])),
        dv=np.array(rng.integers(0, 4096)),
        vth=np.array(rng.integers(1, 40)),
        bias_mant=rng.integers(-1, 2, shape) * rng.integers(0, 300, shape) if bias else np.array(0),
        bias_exp=np.array(0),
        reset=str(rng.choice(["zero", "subtract"])),
        fires=fires,
    )


def sparse_weight(shape, rng):
    return rng.integers(-30, 60, shape) * (rng.random(shape) < 0.6)


def conv_geometry(rng, axes, groups):
    def pick(low, high):
        return tuple(int(v) for v in rng.integers(low, high, axes))

    return Geometry(stride=pick(1, 3), padding=pick(0, 3), dilation=pick(1, 3), groups=groups)


def random_network(seed):
    """Input -> conv -> conv (grouped) -> dense readout, a second projection into it, and a delayed loop."""
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 3))
    mode = str(rng.choice(["spikes", "graded", "bias"]))
    shape = (2, *(int(v) for v in rng.integers(5, 8, axes)))
    first = conv_geometry(rng, axes, 1)
    kernel = sparse_weight((4, 2, *(2,) * axes), rng)
    mid_shape = (4, *spatial_output(shape[1:], kernel.shape[2:], first))
    second = conv_geometry(rng, axes, 2)
    grouped = sparse_weight((6, 2, *(2,) * axes), rng)
    size = spatial_output(mid_shape[1:], grouped.shape[2:], second)
    if min(size) < 1:
        return random_network(seed + 100_000)
    last_shape = (6, *size)
    populations = {
        "mid": population("mid", mid_shape, rng, bias=mode != "bias"),
        "last": population("last", last_shape, rng),
        "out": population("out", (3,), rng, fires=bool(rng.integers(2))),
    }
    projections = [
        Projection("mid-last", "mid", "last", grouped, geometry=second),
        Projection("last-out", "last", "out", sparse_weight((3, populations["last"].size), rng)),
        Projection("mid-out", "mid", "out", sparse_weight((3, populations["mid"].size), rng), delay=1),
        Projection("out-out", "out", "out", sparse_weight((3, 3), rng), delay=int(rng.integers(1, 4))),
    ]
    host = []
    if mode == "bias":
        host = [HostProjection("host", "in", "mid", kernel.astype(float), np.zeros(4), first)]
    else:
        projections.append(Projection("in-mid", "in", "mid", kernel, geometry=first))
    chip_input = ChipInput("in", shape, mode, step=0.5, min_level=-3, max_level=3 if mode == "graded" else 1)
    steps = int(rng.integers(1, 6))
    network = ChipNetwork(
        "loihi1",
        steps,
        {"in": chip_input},
        populations,
        {p.name: p for p in projections},
        {h.name: h for h in host},
        {},
    )
    n, static = 3, bool(rng.integers(2)) or mode == "bias"
    data_shape = (n, *shape) if static else (n, steps, *shape)
    data = rng.integers(0, 2, data_shape) if mode != "graded" else rng.integers(-3, 4, data_shape) * 0.5
    return network, encode_input(network, data * (rng.random(data_shape) < 0.5))


def synapses(projection, source_shape, target_shape, *, stored=True):
    """Every (source index, target index) of a projection, by the definition of a cross-correlation."""
    weight, g = projection.weight, projection.geometry
    found = []
    if g is None:
        return [(i, o) for o, i in product(*map(range, weight.shape)) if weight[o, i] != 0 or not stored]
    per_group_out, per_group_in = weight.shape[0] // g.groups, weight.shape[1]
    for target in product(*map(range, target_shape)):
        for c_in, *tap in product(*map(range, weight.shape[1:])):
            if stored and weight[(target[0], c_in, *tap)] == 0:
                continue
            place = [
                o * s - p + k * d
                for o, s, p, k, d in zip(target[1:], g.stride, g.padding, tap, g.dilation, strict=True)
            ]
            if all(0 <= x < length for x, length in zip(place, source_shape[1:], strict=True)):
                channel = (target[0] // per_group_out) * per_group_in + c_in
                source = np.ravel_multi_index((channel, *place), source_shape)
                found.append((int(source), int(np.ravel_multi_index(target, target_shape))))
    return found


def enumerate_counts(network, encoded, recording):
    """Slow counts: every synapse of every message, one at a time."""
    steps, n = encoded.steps, encoded.samples
    sent = {name: np.broadcast_to(m, (n, steps, *m.shape[2:])) for name, m in encoded.messages.items()}
    sent.update(recording.spikes)
    edges = {
        p.name: synapses(p, network.source_shape(p.source), network.populations[p.target].shape)
        for p in network.projections.values()
    }
    operations = {name: [0] * n for name in edges}
    messages = {name: [0] * n for name in edges}
    delivered = {name: [0] * n for name in sent}
    active = {name: [0] * n for name in network.populations}
    for sample in range(n):
        arrived = {(name, t): set() for name in network.populations for t in range(steps + 10)}
        for t in range(steps):
            reached = {name: set() for name in sent}
            for p in network.projections.values():
                values = sent[p.source][sample, t].ravel()
                senders = set()
                for source, target in edges[p.name]:
                    if values[source] != 0:
                        operations[p.name][sample] += 1
                        senders.add(source)
                        arrived[p.target, t + p.delay].add(target)
                messages[p.name][sample] += len(senders)
                reached[p.source] |= senders
            for name, who in reached.items():
                delivered[name][sample] += len(who)
        for name, pop in network.populations.items():
            bias = encoded.bias[name][0][sample] if name in encoded.bias else np.broadcast_to(pop.bias, pop.shape)
            for t, neuron in product(range(steps), range(pop.size)):
                before = recording.membrane[name][sample, t - 1].ravel()[neuron] if t else 0
                fired = recording.spikes[name][sample, t].ravel()[neuron]
                if before != 0 or bias.ravel()[neuron] != 0 or fired or neuron in arrived[name, t]:
                    active[name][sample] += 1
    return operations, messages, delivered, active


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_counts_equal_the_enumeration_of_every_synapse(seed):
    network, encoded = random_network(seed)
    recording = simulate(network, encoded)
    counts = count_activity(network, encoded, batch_size=2)
    operations, messages, delivered, active = enumerate_counts(network, encoded, recording)
    for name, expected in operations.items():
        assert counts.projections[name].synaptic_operations.tolist() == expected
        assert counts.projections[name].messages.tolist() == messages[name]
    assert {name: c.tolist() for name, c in counts.sent.items()} == delivered
    for name, found in counts.populations.items():
        assert found.updates_active.tolist() == active[name]
        all_updates = network.populations[name].size * encoded.steps
        assert (found.updates_active + found.updates_inactive == all_updates).all()
        assert found.spikes.tolist() == [int(s.sum()) for s in recording.spikes[name]]
    for name, host in network.host_projections.items():
        every = synapses(host, network.source_shape(host.source), network.populations[host.target].shape, stored=False)
        assert counts.host_macs[name] == len(every)


def test_random_networks_reach_every_case():
    """The enumeration means something only if the networks spike and use all kinds of input."""
    modes, spikes, inactive = set(), 0, 0
    for seed in range(40):
        network, encoded = random_network(seed)
        counts = count_activity(network, encoded)
        modes.add(network.inputs["in"].mode)
        spikes += counts.spikes().sum()
        inactive += counts.updates_inactive().sum()
    assert modes == {"spikes", "graded", "bias"}
    assert spikes > 1000
    assert inactive > 1000


def test_fan_out_at_the_border_of_an_image():
    """3x3 kernel, padding 1, on 3x3: a corner reaches 4 outputs, an edge 6, the centre 9."""
    geometry = Geometry((1, 1), (1, 1), (1, 1))
    found = fan_out(np.ones((1, 1, 3, 3), dtype=bool), geometry, (1, 3, 3))
    assert found.tolist() == [[[4, 6, 4], [6, 9, 6], [4, 6, 4]]]
    assert dense_macs(np.zeros((1, 1, 3, 3)), geometry, (1, 3, 3)) == 49


def test_pixels_that_a_stride_never_reads_have_no_fan_out():
    geometry = Geometry((2,), (0,), (1,))
    assert fan_out(np.ones((1, 1, 1), dtype=bool), geometry, (1, 5)).tolist() == [[1, 0, 1, 0, 1]]


def hand_made():
    registers = dict(du=np.array(4095), dv=np.array(0), bias_exp=np.array(0))
    pops = {
        "a": Population("a", (2,), vth=np.array(1), bias_mant=np.array(0), **registers),
        "b": Population("b", (3,), vth=np.array(9), bias_mant=np.array([0, 0, 5]), **registers),
    }
    weight = np.array([[2, 0], [4, 0], [6, 8]])  # fan-out 3 and 1
    return ChipNetwork("loihi1", 3, {}, pops, {"ab": Projection("ab", "a", "b", weight)}, {}, {})


def test_hand_made_recording():
    """Neuron 0 of a spikes at steps 0 and 2, neuron 1 at step 1: 3 + 1 + 3 operations, worked out on paper."""
    spikes = {"a": np.array([[[1, 0], [0, 1], [1, 0]]], np.uint8), "b": np.zeros((1, 3, 3), np.uint8)}
    membrane = {"a": np.zeros((1, 3, 2), np.int32), "b": np.array([[[7, 0, 5], [7, 0, 0], [1, 1, 1]]], np.int32)}
    counter = ActivityCounter(hand_made(), 3)
    counter.add(EncodedInput(steps=3, samples=1), Recording(spikes, membrane))
    counts = counter.result()
    assert counts.projections["ab"].synaptic_operations.tolist() == [7]
    assert counts.projections["ab"].messages.tolist() == [3]
    # b: step 0 all three by events; step 1 neuron 0 by its membrane, 2 by bias; step 2 all three by events
    assert counts.populations["b"].updates_active.tolist() == [8]
    assert counts.populations["b"].updates_inactive.tolist() == [1]
    # a: active only where it fires (there is nothing else that could move it)
    assert counts.populations["a"].updates_active.tolist() == [3]


def test_a_message_over_a_zero_weight_neither_counts_nor_wakes():
    network = hand_made()
    network.projections["ab"].weight[:] = 0
    spikes = {"a": np.ones((1, 3, 2), np.uint8), "b": np.zeros((1, 3, 3), np.uint8)}
    membrane = {"a": np.zeros((1, 3, 2), np.int32), "b": np.zeros((1, 3, 3), np.int32)}
    counter = ActivityCounter(network, 3)
    counter.add(EncodedInput(steps=3, samples=1), Recording(spikes, membrane))
    counts = counter.result()
    assert counts.synaptic_operations().tolist() == [0]
    assert counts.messages_sent().tolist() == [0]
    assert counts.populations["b"].updates_active.tolist() == [3]  # the one neuron with a bias


def test_no_samples_is_said():
    with pytest.raises(UserError, match="no samples"):
        ActivityCounter(hand_made(), 3).result()
