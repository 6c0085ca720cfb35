"""The same spiking network on a GPU, modelled: the time that peak arithmetic or memory allows, at board power.

Time a sample is max(FLOPs / peak rate, bytes / bandwidth). Kernel launches, which rule at batch 1, are left out, so
the time is a lower bound; board power is an upper bound of power. The result is a model, never a measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...chip_network.form import ChipNetwork, HostProjection, Projection
from ...chip_network.geometry import spatial_output
from ..constant_set import ConstantSet, constant_names, load_constants
from ..figures import Amount, Count, Part

LARGE_BATCH = 1024  # weights are then fetched once for this many samples
STATE_BYTES = 4  # membranes and currents stay fp32 or int32 in every precision
PRECISIONS = {"fp32": 4, "int8": 1}  # bytes of a weight and of a message


class ModelledGpu(Part):
    """A roofline; seconds and joules a sample."""

    status: Literal["modelled"]
    gpu: str
    constants: str
    precision: str
    batch: Count
    flops: Count
    bytes: Amount
    bound_by: Literal["arithmetic", "memory"]
    seconds: Amount
    joules: Amount


@dataclass
class Work:
    """What a GPU does for one sample.

    Attributes:
        flops: two a MAC; padding and zero weights included, as a GPU computes them; neuron updates left out.
        weights: weights fetched, once a step (once a batch is shared by its samples).
        messages: spikes or input values read and written.
        states: currents and membranes read and written.
    """

    flops: int
    weights: int
    messages: int
    states: int


def dense_work(network: ChipNetwork, steps: int, *, static_input: bool) -> Work:
    """Work of one sample of `steps` steps.

    Each layer reads its messages and weights and writes a current; each neuron reads the current, reads and writes
    the membrane, and writes a spike. A layer with a static input is computed once a sample.

    Args:
        static_input: the inputs are the same in every step (host projections always are).
    """
    flops = weights = messages = states = 0
    layers: list[Projection | HostProjection] = [*network.projections.values(), *network.host_projections.values()]
    for layer in layers:
        static = layer.name in network.host_projections or (layer.source in network.inputs and static_input)
        passes = 1 if static else steps
        source, target = network.source_shape(layer.source), network.populations[layer.target]
        positions = 1
        if layer.geometry is not None:
            for length in spatial_output(source[1:], layer.weight.shape[2:], layer.geometry):
                positions *= length
        size = 1
        for length in source:
            size *= length
        flops += 2 * layer.weight.size * positions * passes
        weights += layer.weight.size * passes
        messages += size * passes
        states += target.size * passes
    for population in network.populations.values():
        messages += population.size * steps
        states += 3 * population.size * steps
    return Work(flops, weights, messages, states)


def gpu_energy(work: Work, gpu: ConstantSet, *, precision: str, batch: int) -> ModelledGpu:
    """Energy of one sample, modelled.

    Raises:
        UserError: the GPU's data has no peak for this precision.
    """
    element = PRECISIONS[precision]
    traffic = element * (work.weights / batch + work.messages) + STATE_BYTES * work.states
    arithmetic = work.flops / gpu[f"peak_{precision}"].interval("1/s").value
    memory = traffic / gpu["memory_bandwidth"].interval("byte/s").value
    seconds = max(arithmetic, memory)
    return ModelledGpu(
        status="modelled",
        gpu=gpu.title,
        constants=gpu.name,
        precision=precision,
        batch=batch,
        flops=work.flops,
        bytes=traffic,
        bound_by="arithmetic" if arithmetic >= memory else "memory",
        seconds=seconds,
        joules=seconds * gpu["board_power"].interval("watt").value,
    )


def modelled_gpus(network: ChipNetwork, steps: int, *, static_input: bool) -> list[ModelledGpu]:
    """Every GPU on file, batch 1 and large, in each precision its data gives."""
    work = dense_work(network, steps, static_input=static_input)
    rows = []
    for name in constant_names("gpu_"):
        gpu = load_constants(name)
        for precision in PRECISIONS:
            if f"peak_{precision}" in gpu.constants:
                rows += [gpu_energy(work, gpu, precision=precision, batch=b) for b in (1, LARGE_BATCH)]
    return rows
