"""Makes Lava processes of a ChipNetwork. Call `prepare_lava()` before importing this module."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import numpy as np
from lava.magma.core.model.model import AbstractProcessModel
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.proc.dense.models import PyDenseModelBitAcc
from lava.proc.dense.process import Dense
from lava.proc.lif.process import LIFReset
from lava.utils.weightutils import SignMode

from dalif_deploy.hw_models.chip_network.form import VTH_MAX, Population, Projection

from .checks import mixed_signs
from .job import Job
from .lava_processes import (
    MessageSource,
    MessageSourceModel,
    RecordedLifResetModel,
    RegisterLifReset,
    RegisterLifResetModel,
    SpikeDelay,
    SpikeDelayModel,
)
from .layout import lava_flat_order, lava_shape, to_lava
from .recorder import PopulationRecorder


@dataclass
class LavaComponent:
    """Connected processes, which Lava runs together, and the process model of each.

    The models are given process by process, so that Lava need not search the modules around for them.
    """

    models: dict[AbstractProcess, type[AbstractProcessModel]] = field(default_factory=dict)

    def add(self, process: AbstractProcess, model: type[AbstractProcessModel]) -> AbstractProcess:
        """Registers a process and gives it back."""
        self.models[process] = model
        return process


def build_lava(job: Job) -> list[LavaComponent]:
    """Builds all processes; one component for each part of the network that hangs together."""
    graph = nx.Graph()
    graph.add_nodes_from(job.network.populations)
    graph.add_edges_from((p.source, p.target) for p in job.network.projections.values())
    return [_build_component(job, sorted(members)) for members in nx.connected_components(graph)]


def _build_component(job: Job, members: list[str]) -> LavaComponent:
    component, network, depths = LavaComponent(), job.network, job.network.depths()
    processes = {}
    for name in members:
        if name in network.inputs:
            source = MessageSource(
                messages=job.encoded.part(slice(None)).messages[name], steps=job.encoded.steps, name=name
            )
            processes[name] = component.add(source, MessageSourceModel)
        else:
            processes[name] = _population(component, job, network.populations[name], depths[name])
    for projection in network.projections.values():
        if projection.target in processes:
            _connect(component, job, projection, processes[projection.source], processes[projection.target], depths)
    return component


def _population(component: LavaComponent, job: Job, population: Population, depth: int) -> AbstractProcess:
    shape = lava_shape(population.shape)
    steps = job.encoded.steps

    def register(name: str) -> np.ndarray:
        values = np.broadcast_to(np.asarray(getattr(population, name), dtype=np.int64), population.shape)
        return to_lava(values).astype(np.int32)

    def option(name: str) -> np.ndarray | None:
        value = getattr(population, name)
        return None if value is None or (not np.any(value) and name == "v_start") else register(name)

    du, dv, vth = register("du"), register("dv"), register("vth")
    if not population.fires:
        vth = np.full_like(vth, VTH_MAX)
    common: dict[str, Any] = {
        "shape": shape,
        "bias_mant": register("bias_mant"),
        "bias_exp": register("bias_exp"),
        "reset_interval": steps,
        "reset_offset": (depth + 1) % steps,
        "name": population.name,
    }
    sample_bias = job.encoded.part(slice(None)).bias.get(population.name)
    scalar = all((array == array.flat[0]).all() for array in (du, dv, vth))
    if scalar and sample_bias is None and population.reset == "zero" and not population.options:
        scalars = {"du": int(du.flat[0]), "dv": int(dv.flat[0]), "vth": int(vth.flat[0])}
        process = component.add(LIFReset(**common, **scalars), RecordedLifResetModel)
    else:
        process = component.add(
            RegisterLifReset(
                **common,
                du=du,
                dv=dv,
                vth=vth,
                sample_bias=sample_bias,
                subtract_reset=population.reset == "subtract",
                v_min=option("v_min"),
                v_start=option("v_start"),
                refractory=population.refractory,
                max_spikes=population.max_spikes,
            ),
            RegisterLifResetModel,
        )
    process.proc_params["recorder"] = PopulationRecorder(job, population.name, depth)
    return process


def _connect(
    component: LavaComponent,
    job: Job,
    projection: Projection,
    source: AbstractProcess,
    target: AbstractProcess,
    depths: dict[str, int],
) -> None:
    spikes = source.s_out
    wait = job.network.pipeline_delay(projection, depths)
    if wait > 0 or projection.delay > 0:
        delay = SpikeDelay(
            shape=spikes.shape,
            wait=wait,
            delay=projection.delay,
            depth=depths[projection.source],
            steps=job.encoded.steps,
            name=f"delay of {projection.name}",
        )
        component.add(delay, SpikeDelayModel)
        spikes.connect(delay.s_in)
        spikes = delay.s_out
    bits = message_bits(job, projection)
    if projection.geometry is None:
        _connect_dense(component, job, projection, spikes, target, bits)
    else:
        from .convolution import WideConvModel, lava_convolution

        synapse = component.add(lava_convolution(projection, spikes.shape, bits), WideConvModel)
        spikes.connect(synapse.s_in)
        synapse.a_out.connect(target.a_in)


def _connect_dense(
    component: LavaComponent, job: Job, projection: Projection, spikes: OutPort, target: AbstractProcess, bits: int
) -> None:
    rows = lava_flat_order(job.network.populations[projection.target].shape)
    columns = lava_flat_order(job.network.source_shape(projection.source))
    synapse = Dense(
        weights=projection.weight[rows][:, columns],
        weight_exp=projection.weight_exp,
        num_message_bits=bits,
        # None: Lava looks at the weights itself
        sign_mode=SignMode.MIXED if mixed_signs(projection.weight) else None,
        name=projection.name,
    )
    component.add(synapse, PyDenseModelBitAcc)
    if len(spikes.shape) > 1:
        spikes.flatten().connect(synapse.s_in)
    else:
        spikes.connect(synapse.s_in)
    if len(target.a_in.shape) > 1:
        synapse.a_out.reshape(target.a_in.shape).connect(target.a_in)
    else:
        synapse.a_out.connect(target.a_in)


def message_bits(job: Job, projection: Projection) -> int:
    """Lava's num_message_bits: 0 makes any message a binary spike, graded messages need their width."""
    if not job.network.sends_numbers(projection.source):
        return 0
    low, high = job.network.message_range(projection.source)
    return max(abs(low), abs(high), 1).bit_length() + (low < 0)
