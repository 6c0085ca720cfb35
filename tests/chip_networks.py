"""Hand-made and random ChipNetworks for tests."""

import numpy as np

from dalif_deploy.hw_models.chip_network.form import (
    ChipInput,
    ChipNetwork,
    ChipOutput,
    Geometry,
    Population,
    Projection,
)
from dalif_deploy.hw_models.chip_network.geometry import spatial_output
from dalif_deploy.hw_models.samples.recording import EncodedInput


def population(name, shape, *, du=4095, dv=400, vth=30, mant=0, exp=0, reset="zero", fires=True):
    registers = (np.asarray(r, dtype=np.int64) for r in (du, dv, vth, mant, exp))
    return Population(name, shape, *registers, reset=reset, fires=fires)


def chip(inputs, populations, projections, *, steps=6, outputs=(), name="loihi2"):
    return ChipNetwork(
        name,
        steps,
        {i.name: i for i in inputs},
        {p.name: p for p in populations},
        {p.name: p for p in projections},
        {},
        {o.name: o for o in outputs},
    )


def random_network(rng, *, steps=5, extreme=False):
    """Conv (groups, stride, padding, dilation, odd sizes) into dense, a loop, a skip with delay, mixed registers."""
    graded = bool(rng.integers(2))
    groups = int(rng.choice([1, 2]))
    shape = (2, int(rng.integers(4, 7)), int(rng.integers(4, 7)))
    geometry = Geometry(
        tuple(int(s) for s in rng.integers(1, 3, 2)),
        tuple(int(s) for s in rng.integers(0, 2, 2)),
        tuple(int(s) for s in rng.integers(1, 3, 2)),
        groups,
    )
    kernel = (2, 1)
    out = (4, *spatial_output(shape[1:], kernel, geometry))
    size = int(np.prod(out))
    top = 255 if extreme else 60

    def weights(*dims):
        return (rng.integers(-top // 2, top // 2 + 1, dims) * 2).astype(np.int16)

    exponent = int(rng.integers(0, 8)) if extreme else int(rng.integers(0, 2))
    per_channel = rng.integers(0, 4096, (4, 1, 1))
    first = population(
        "first",
        out,
        du=rng.choice([4095, 1000]),
        dv=per_channel,
        vth=rng.integers(1, 200, out),
        mant=rng.integers(-4096, 4096, out) // 32,
        exp=rng.integers(0, 4, out),
    )
    second = population(
        "second",
        (5,),
        du=4095,
        dv=int(rng.integers(0, 4096)),
        vth=int(rng.integers(0, 131072)) if extreme else int(rng.integers(10, 400)),
        reset=str(rng.choice(["zero", "subtract"])),
    )
    readout = population("readout", (3,), dv=0, vth=131071, fires=False, mant=7, exp=1)
    projections = [
        Projection("conv", "input", "first", weights(4, 2 // groups, *kernel), exponent, geometry),
        Projection("dense", "first", "second", weights(5, size), exponent),
        Projection("loop", "second", "second", weights(5, 5), 0, None, int(rng.integers(1, 3))),
        Projection("skip", "first", "readout", weights(3, size), 0, None, int(rng.integers(0, 3))),
        Projection("last", "second", "readout", weights(3, 5), 1),
    ]
    high = int(rng.choice([3, 255, 4000])) if graded else 1
    chip_input = ChipInput("input", shape, "graded" if graded else "spikes", 1.0, -high if graded else 0, high)
    network = chip(
        [chip_input], [first, second, readout], projections, steps=steps,
        outputs=[ChipOutput("out", "readout", "membrane"), ChipOutput("counts", "second", "count")],
    )  # fmt: skip
    messages = rng.integers(chip_input.min_level, high + 1, (3, steps, *shape)).astype(np.int32)
    return network, EncodedInput(steps, 3, {"input": messages})
