"""The mapper against an enumeration of every synapse, on chips so small that everything is split."""

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dalif_deploy.hw_models.chip_network.form import ChipInput, Geometry, Projection
from dalif_deploy.hw_models.chips import names as chip_files
from dalif_deploy.hw_models.chips.description import load_chip
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.errors import CheckFailed, UserError
from dalif_deploy.hw_models.mapping import DoesNotFit, map_network, mapping
from dalif_deploy.hw_models.mapping.placement import Flow, hops, naive_placement, short_placement
from dalif_deploy.hw_models.mapping.synapse_memory import list_bits, weight_field
from dalif_deploy.hw_models.simulator import simulate
from tests.chip_networks import chip, population, random_network
from tests.random_chip_networks import chip_cases
from tests.slow_mapping import enumerate_traffic, enumerate_use

LIMITS = (
    "neurons_per_core",
    "synapse_memory_bits_per_core",
    "input_axons_per_core",
    "output_axons_per_core",
    "decay_profiles_per_core",
)


def small_chip(neurons=6, memory=None, inputs=None, outputs=None, decays=None, chips=None, **encoding):
    """Loihi 1 with two tiles of two cores, and smaller fields."""
    base = load_chip("loihi1")
    values = dict(zip((*LIMITS, "chips"), (neurons, memory, inputs, outputs, decays, chips), strict=True), cores=4)
    limits = base.limits.model_copy(
        update={k: v and base.limits.cores.model_copy(update={"value": v}) for k, v in values.items()}
    )
    grid = base.grid.model_copy(update=dict(columns=2, rows=1, cores_per_tile=2))
    fields = dict(block_synapses=5, max_atom_bits=1, atom_bits=0, axon_id_bits=3, base_span=3, index_bits=(0, 2, 4, 9))
    encoding = base.synapse_encoding.model_copy(update={**fields, **encoding})
    return base.model_copy(update=dict(limits=limits, grid=grid, synapse_encoding=encoding))


def mapped(network, description, **more):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapping, "load_chip", lambda name: description)
        return map_network(network, **more)


def check_everything(found, network, encoded):
    assert [list(astuple(core.use)) for core in found.cores] == enumerate_use(found)
    for core in found.cores:
        assert core.use.exceeded(found.chip) is None
    assert sum(core.use.neurons_per_core for core in found.cores) == sum(p.size for p in network.populations.values())
    assert len({(c.chip, c.tile) for c in found.cores}) <= len(found.cores)
    places = [(c.chip, c.tile) for c in found.cores]
    assert all(places.count(place) <= found.chip.grid.cores_per_tile for place in places)

    traffic = count_activity(network, encoded, mapping=found, batch_size=2).traffic
    spikes = {name: (array != 0).sum(axis=1) for name, array in simulate(network, encoded).spikes.items()}
    for name, messages in encoded.messages.items():
        repeats = encoded.steps if messages.shape[1] == 1 else 1
        spikes[name] = (messages != 0).sum(axis=1) * repeats
    for sample in range(encoded.samples):
        total, _ = enumerate_traffic(found, {name: array[sample] for name, array in spikes.items()})
        assert {kind: counts[sample] for kind, counts in traffic.counts.items() if counts[sample]} == dict(
            (kind, n) for kind, n in total.items() if n
        )
    summed = {name: array.sum(axis=0) for name, array in spikes.items()}
    assert all((traffic.spikes[name] == array.ravel()).all() for name, array in summed.items())
    edges = {}
    for source, target, amount in zip(*found.edges(traffic.spikes), strict=True):
        if amount:
            edges[source, target] = edges.get((source, target), 0) + amount
    assert edges == enumerate_traffic(found, summed)[1]


@pytest.mark.parametrize("seed", range(8))
def test_use_and_traffic_equal_the_enumeration(seed):
    rng = np.random.default_rng(seed)
    network, encoded = random_network(rng)
    limits = dict(neurons=int(rng.integers(2, 30)), memory=20_000, inputs=200, outputs=int(rng.integers(40, 80)))
    found = mapped(network, small_chip(**limits), spikes=None)
    check_everything(found, network, encoded)
    assert len(found.cores) > len(network.populations)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    case=chip_cases(2, 2),
    limits=st.tuples(*[st.integers(a, b) for a, b in ((1, 20), (400, 20_000), (4, 60), (4, 60), (1, 9))]),
)
def test_any_network_on_any_small_chip(case, limits):
    try:
        found = mapped(case.network, small_chip(*limits, base_span=None if limits[0] % 5 == 0 else limits[0] % 5))
    except DoesNotFit as refusal:
        assert refusal.needed > refusal.available == dict(zip(LIMITS, limits, strict=True))[refusal.limit]
        return
    check_everything(found, case.network, case.encoded)


def test_every_neuron_is_on_one_core_of_loihi():
    network, encoded = random_network(np.random.default_rng(1))
    for name in ("loihi1", "loihi2"):
        network.chip = name
        found = map_network(network)
        assert [core.population for core in found.cores] == list(network.populations)
        check_everything(found, network, encoded)


def test_list_bits_by_hand():
    """8-bit weights, 10-bit indices: 64 synapses take 64 * 18 + 10 = 1162 bits, 19 words; one takes a word."""
    encoding = load_chip("loihi1").synapse_encoding
    assert list_bits(np.array([0, 1, 64, 65]), 18, encoding).tolist() == [0, 64, 1216, 1280]


def test_width_of_weights_by_hand():
    """Multiples of 64 below 256: two bits; with both signs three. Seven bits do not exist: eight are taken."""
    encoding = load_chip("loihi1").synapse_encoding
    for weights, bits in (((64, 192), 2), ((64, -192), 3), ((128,), 1), ((2, 4), 8), ((-2, 4), 8), ((1,), 8)):
        assert weight_field(np.array(weights), encoding) == bits


def test_cores_that_need_more_than_the_middle_one_count():
    """Four neurons with one source, then four with two sources each: 4 + 4 would need 8 axons on the second core."""
    weight = np.zeros((8, 9), int)
    weight[:4, 0] = 255
    for neuron in range(4):
        weight[4 + neuron, 1 + 2 * neuron : 3 + 2 * neuron] = 255
    network = chip(
        [ChipInput("x", (9,), "spikes")], [population("p", (8,))], [Projection("a", "x", "p", weight)]
    )  # fmt: skip
    cores = mapped(network, small_chip(neurons=4, inputs=5)).cores
    assert [core.use.input_axons_per_core for core in cores] == [1, 5, 4]


def test_no_swap_of_two_places_shortens_the_way():
    description, rng = load_chip("loihi1"), np.random.default_rng(0)
    cores = 60
    flow = Flow(*rng.integers(0, cores, (2, 900)), rng.random(900))
    placed = short_placement(cores, flow, description)
    best = sum(hops(flow, placed, description)[:2])
    for core in range(cores):
        for other in range(128):  # used by a core or free
            moved = np.where(placed.place == other, placed.place[core], placed.place)
            moved[core] = other
            assert sum(hops(flow, replace(placed, place=moved), description)[:2]) >= best - 1e-9


def test_a_kernel_is_stored_once_for_pixels_alike():
    """One channel, 3x3 kernel, 5x5 padded image on one core: 3 x 3 sets of taps, whatever the image's size."""
    for size in (5, 9):
        geometry = Geometry((1, 1), (1, 1), (1, 1))
        network = chip(
            [ChipInput("x", (1, size, size), "spikes")],
            [population("p", (1, size, size))],
            [Projection("c", "x", "p", np.full((1, 1, 3, 3), 255), 0, geometry)],
            name="loihi1",
        )
        (core,) = map_network(network).cores
        width = 8 + (6 if size == 5 else 7)
        words = sum(-(-(a * b * width + 10) // 64) for a in (2, 3, 2) for b in (2, 3, 2))
        assert core.use.synapse_memory_bits_per_core == 64 * words
        assert core.use.input_axons_per_core == size * size


def fan(sources, targets):
    """`sources` neurons, each with a synapse to each of `targets`."""
    pops = [population("first", (sources,)), population("second", (targets,))]
    return chip(
        [ChipInput("x", (3,), "spikes")],
        pops,
        [
            Projection("a", "x", "first", np.full((sources, 3), 255)),
            Projection("b", "first", "second", np.full((targets, sources), 255)),
        ],
    )


@pytest.mark.parametrize(
    ("decays", "cores"),
    [([5] * 8, 1), ([5, 6, 7] * 2 + [5, 5], 1), (list(range(8)), 3), ([1, 1, 1, 1, 2, 3, 4, 4], 2)],
)
def test_neurons_with_decays_of_their_own_split(decays, cores):
    network = fan(20, 8)
    name = list(network.populations)[-1]
    network.populations[name].dv = np.array(decays)
    found = mapped(network, small_chip(neurons=100, block_synapses=64, decays=3))
    assert len(found.cores_of(name)) == cores
    assert max(core.use.decay_profiles_per_core for core in found.cores_of(name)) == min(3, len(set(decays)))


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        (dict(neurons=100), (1, 1)),
        (dict(neurons=5), (4, 2)),
        # a list of 1 to 6 neurons is a word of 64 bits, so 20 sources take 20 words; 7 to 9 neurons would take two
        (dict(neurons=100, memory=20 * 64), (1, 2)),
        # each of the 20 sends to two cores
        (dict(neurons=100, memory=20 * 64, outputs=20), (2, 2)),
        (dict(neurons=100, inputs=20), (1, 1)),
    ],
)
def test_an_exceeded_limit_splits(limits, cores):
    network = fan(20, 8)
    found = mapped(network, small_chip(block_synapses=64, **limits))
    assert tuple(len(found.cores_of(name)) for name in network.populations) == cores


@pytest.mark.parametrize(
    ("limits", "limit", "needed", "layer"),
    [
        (dict(memory=19 * 64), "synapse_memory_bits_per_core", 20 * 64, "second"),
        (dict(inputs=19), "input_axons_per_core", 20, "second"),
        (dict(neurons=2, outputs=3), "output_axons_per_core", 4, "first"),
        (dict(neurons=1, chips=6), "chips", 7, None),
    ],
)
def test_what_no_split_can_help_is_refused(limits, limit, needed, layer):
    with pytest.raises(CheckFailed) as caught:
        mapped(fan(20, 8), small_chip(**{"neurons": 100, **limits}))
    refusal = caught.value
    assert (refusal.limit, refusal.needed, refusal.layer) == (limit, needed, layer)
    assert refusal.remedy
    assert f"{needed:,}" in str(refusal)
    assert "\n" not in str(refusal)


def test_a_limit_without_a_source_is_not_checked():
    wide = fan(20, 8)
    wide.populations["first"].shape = (5000,)
    wide.projections["a"].weight = np.full((5000, 3), 255)
    wide.projections["b"].weight = np.full((8, 5000), 255)
    wide.chip = "loihi2"
    assert len(map_network(wide).cores_of("second")) == 1
    wide.chip = "loihi1"
    with pytest.raises(DoesNotFit, match="5,000 input axons"):
        map_network(wide)


@pytest.mark.parametrize("seed", range(4))
def test_placement_is_no_worse_than_the_networks_order(seed):
    """Random messages between cores of one Loihi, and neighbours in a ring, hidden by a shuffle."""
    description, rng = load_chip("loihi1"), np.random.default_rng(seed)
    for cores in (5, 100):
        order = rng.permutation(cores)
        ring = Flow(order, np.roll(order, 1), np.ones(cores))
        noise = Flow(*rng.integers(0, cores, (2, 300)), rng.random(300))
        for flow in (ring, noise):
            placed = sum(hops(flow, short_placement(cores, flow, description), description)[:2])
            assert placed <= sum(hops(flow, naive_placement(cores, description), description)[:2])
        if cores == 100:
            placed = sum(hops(ring, short_placement(cores, ring, description), description)[:2])
            assert placed < 0.5 * sum(hops(ring, naive_placement(cores, description), description)[:2])


def test_two_groups_that_do_not_talk_go_to_two_chips():
    """Interleaved in the network's order, which would put half of each on either chip."""
    description = small_chip()
    pairs = [(a, b) for a in range(8) for b in range(8) if a != b and a % 2 == b % 2]
    flow = Flow(*np.array(pairs).T, np.ones(len(pairs)))
    assert hops(flow, naive_placement(8, description), description)[2] > 0
    placed = short_placement(8, flow, description)
    assert hops(flow, placed, description)[2] == 0
    assert sorted(zip(placed.chip.tolist(), placed.place.tolist(), strict=True)) == [
        (c, p) for c in range(2) for p in range(4)
    ]


def test_a_chip_is_a_file(tmp_path, monkeypatch):
    text = (chip_files.CHIP_FOLDER / "loihi1.toml").read_text()
    monkeypatch.setattr(chip_files, "CHIP_FOLDER", tmp_path)
    (tmp_path / "mine.toml").write_text(text.replace("value = 1024", "value = 7"))
    network = fan(20, 8)
    network.chip = "mine"
    assert [core.use.neurons_per_core for core in map_network(network).cores] == [7, 7, 6, 4, 4]
    for broken in (text.replace("columns = 8", "columns = 2"), text.replace("[0, 6, 7", "[6, 0, 7"), text + "\nx = 1"):
        (tmp_path / "mine.toml").write_text(broken)
        with pytest.raises(UserError, match="broken chip description"):
            map_network(network)
