"""What a mapped network uses and sends, one synapse at a time. Only its boxes and tiles are taken as given."""

import math
from collections import defaultdict

import numpy as np

from tests.scalar_chip import synapses


def list_bits(count, bits, e):
    total = 0
    while count > 0:
        block = min(count, e.block_synapses)
        total += math.ceil((block * bits + e.header_bits) / e.word_bits) * e.word_bits
        count -= block
    return total


def weight_width(weight, e):
    mixed = weight.min() < 0 < weight.max()
    for width in e.weight_bits:
        if not (weight % 2.0 ** (8 + mixed - width)).any():
            return width
    return e.weight_bits[-1]


def index_width(neurons, e):
    return min((w for w in e.index_bits if 2**w >= neurons), default=e.index_bits[-1])


def owner(mapping):
    """(population, neuron index) -> core."""
    found = {}
    for number, core in enumerate(mapping.cores):
        for index in np.ndindex(*[b - a for a, b in core.box]):
            key = core.population, tuple(i + a for i, (a, _) in zip(index, core.box, strict=True))
            assert key not in found
            found[key] = number
    return found


def taps_inside(source, core, geometry, kernel):
    """(taps that lead from a source pixel into the core's box, number of the first pixel reached, counted there)."""
    taps, reached = [], []
    for tap in np.ndindex(*kernel):
        place = []
        for s, k, (a, b), stride, pad, dilation in zip(
            source, tap, core.box[1:], geometry.stride, geometry.padding, geometry.dilation, strict=True
        ):
            at, rest = divmod(s + pad - k * dilation, stride)
            place.append(at - a if rest == 0 and a <= at < b else None)
        if None not in place:
            taps.append(tap)
            reached.append(place)
    sizes = [b - a for a, b in core.box[1:]]
    return tuple(taps), min((int(np.ravel_multi_index(p, sizes)) for p in reached), default=0)


def enumerate_use(mapping):
    """[[neurons, synapse bits, axons in, axons out, decays] of each core], independent of the mapper's formulas."""
    network, e = mapping.network, mapping.chip.synapse_encoding
    home = owner(mapping)
    use = [[0, 0, 0, 0, 0] for _ in mapping.cores]
    pairs = defaultdict(set)
    for (name, neuron), number in home.items():
        use[number][0] += 1
        p = network.populations[name]
        pairs[number].add(tuple(int(np.broadcast_to(each, p.shape)[neuron]) for each in (p.du, p.dv)))
    for number, different in pairs.items():
        use[number][4] = len(different)
    depths = network.depths()
    for p in network.projections.values():
        shape = network.source_shape(p.source)
        delay = max(0, network.pipeline_delay(p, depths)).bit_length()
        width = weight_width(p.weight, e) + delay
        atoms = min(shape[0], 2**e.max_atom_bits)
        extra = max(0, math.ceil(math.log2(atoms)) - e.atom_bits)
        ends = defaultdict(lambda: defaultdict(int))  # core -> source neuron -> synapses
        for source, target, _ in synapses(p, shape, network.populations[p.target].shape):
            ends[home[p.target, target]][source] += 1
        for number, sources in ends.items():
            core = mapping.cores[number]
            neurons = use[number][0]
            indexed = width + index_width(neurons, e)
            by_pixel = defaultdict(int)
            for source, count in sources.items():
                by_pixel[source[0] // atoms, source[1:]] += count
            if p.geometry is not None:
                lists = {}
                for (block, pixel), count in by_pixel.items():
                    taps, first = taps_inside(pixel, core, p.geometry, p.weight.shape[2:])
                    key = block, taps, first // e.base_span if e.base_span else 0
                    assert lists.setdefault(key, count) == count  # shared lists must be the same
                bits, population = sum(list_bits(n, indexed, e) for n in lists.values()), True
            else:
                forms = [
                    (sum(list_bits(n, indexed, e) for n in sources.values()), len(sources), False),
                    (sum(list_bits(neurons, width, e) for _ in sources), len(sources), False),
                ]
                if shape[0] > 1 and math.prod(shape[1:]) > 1:
                    forms.append((sum(list_bits(n, indexed, e) for n in by_pixel.values()), len(by_pixel), True))
                bits, _, population = min(forms)
            use[number][1] += bits
            use[number][2] += len(by_pixel) if population else len(sources)
            if p.source not in network.populations:
                continue
            slots = e.wide_axon_slots if population and len(by_pixel) > 2 ** (e.axon_id_bits - extra) else 1
            sent = {
                (home[p.source, s], (s[0] // atoms, s[1:]) if population else s) for s in sources
            }  # an axon of one source core
            for source_core, _ in sent:
                use[source_core][3] += slots
    return use


def enumerate_traffic(mapping, events):
    """Messages and hops of every spike: kind -> total; and (source core or -1, target core) -> messages."""
    network = mapping.network
    home = owner(mapping)
    reached = defaultdict(set)  # (source, neuron) -> cores
    for p in network.projections.values():
        shape = network.source_shape(p.source)
        for source, target, _ in synapses(p, shape, network.populations[p.target].shape):
            reached[p.source, source].add(home[p.target, target])
    total, edges = defaultdict(int), defaultdict(int)
    for (name, neuron), targets in reached.items():
        count = int(events[name][neuron])
        for target in targets:
            total["messages"] += count
            if name in network.inputs:
                total["from_input"] += count
                edges[-1, target] += count
                continue
            here, there = mapping.cores[home[name, neuron]], mapping.cores[target]
            edges[home[name, neuron], target] += count
            if here.chip != there.chip:
                total["between_chips"] += count
                continue
            total["hops_east_west"] += count * abs(here.tile[0] - there.tile[0])
            total["hops_north_south"] += count * abs(here.tile[1] - there.tile[1])
    return total, {edge: n for edge, n in edges.items() if n}
