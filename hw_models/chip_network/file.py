"""ChipNetwork on disk: a NIR file in integer units, whose nodes carry the registers in their metadata.

Any NIR reader can open it: at dt = 1, its LIF, CubaLIF and I nodes follow the chip's decays and its weights are the
registers' integers times 2^(weight_exp + 6). What NIR has no word for (registers, exponents, delays, host layers, input
coding) stands in metadata; this module reads it back to the same ChipNetwork.
"""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import nir
import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter

from ..errors import UserError
from ..files.damage import damage_in_one_line
from ..files.hdf5_read import check_hdf5
from ..files.hdf5_write import write_graph
from .check import check_chip_network
from .form import (
    DECAY_UNITY,
    NO_CURRENT_FILTER,
    REGISTER_RANGES,
    SYNAPSE_SHIFT,
    ChipInput,
    ChipNetwork,
    ChipOutput,
    Geometry,
    HostProjection,
    Population,
    Projection,
    Reset,
)

FORMAT = "dalif-deploy chip network 1"
ORDERED = ("inputs", "populations", "projections", "host_projections", "outputs")


def write_chip_network(path: str | Path, network: ChipNetwork) -> None:
    """Writes the network to one file (the caller sees to it that it appears whole)."""
    nodes: dict[str, nir.NIRNode] = {}
    edges: list[tuple[str, str]] = []
    for item in network.inputs.values():
        nodes[item.name] = nir.Input({"input": np.array(item.shape)})
        nodes[item.name].metadata = {"chip": _json(item)}
    for population in network.populations.values():
        nodes[population.name] = _neuron_node(population)
    for projection in network.projections.values():
        nodes[projection.name] = _synapse_node(projection, network)
        _connect(network, projection, nodes, edges)
    for host in network.host_projections.values():
        nodes[host.name] = _linear_node(host.weight, host.bias, host.geometry, network.source_shape(host.source))
        record = {"kind": "host", "source": host.source, "target": host.target, "geometry": host.geometry}
        nodes[host.name].metadata = {"chip": _json(record)}
        _connect(network, host, nodes, edges)
    for output in network.outputs.values():
        nodes[output.name] = nir.Output({"output": np.array(network.populations[output.population].shape)})
        nodes[output.name].metadata = {"chip": _json(_output_record(output))}
        edges.append((output.population, output.name))
    header = {
        "format": FORMAT,
        "chip": network.chip,
        "steps": network.steps,
        "dt": network.dt,
        "extra": network.metadata,
        # HDF5 lists names in alphabetical order
        "order": {kind: list(getattr(network, kind)) for kind in ORDERED},
    }
    metadata = {"dalif_deploy": _json(header), "dt": 1.0}
    write_graph(path, nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False))


def read_chip_network(path: str | Path) -> ChipNetwork:
    """Reads a file that `write_chip_network` wrote.

    Raises:
        UserError: not such a file, or registers outside their range.
    """
    again = "export it again with dalif-export"
    with damage_in_one_line("not a readable compiled network", where=path, remedy=again):
        check_hdf5(path)
        graph = nir.read(path, type_check=False)
        header = json.loads(_text(graph.metadata["dalif_deploy"]))
        if header.get("format") != FORMAT:
            raise UserError("not a compiled network of this version", where=str(path), remedy=again)
        network = ChipNetwork(
            _text(header["chip"]),
            int(header["steps"]),
            {},
            {},
            {},
            {},
            {},
            dt=float(header["dt"]),
            metadata=header["extra"],
        )
        _read_nodes(graph, network)
        if "order" in header:
            for kind in ORDERED:
                _reorder(getattr(network, kind), header["order"][kind])
        check_chip_network(network, str(path))
    return network


def _output_record(output: ChipOutput) -> dict[str, Any]:
    """Without what nobody said, as in files from before there were decision rules."""
    return {key: value for key, value in asdict(output).items() if value not in (None, 0.0)}


class _NeuronRecord(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reset: Reset
    fires: bool
    source: dict[str, Any]
    refractory: int = 0
    max_spikes: int = 1


def _neuron_node(p: Population) -> nir.NIRNode:
    shape = p.shape

    def full(value: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), shape).copy()

    # a decay of 0 has no time constant; NIR's way to say it is a very long one
    tau = full(DECAY_UNITY / np.maximum(p.dv, 2.0**-40))
    bias = full(p.bias)
    unit = 1 << SYNAPSE_SHIFT
    leak = bias * tau  # v_leak dt/tau is the constant input of a step
    if (p.du == NO_CURRENT_FILTER).all():
        node = nir.LIF(tau, tau.copy(), leak, full(p.vth * unit)) if p.fires else nir.LI(tau, tau.copy(), leak)
    else:
        tau_syn = full(DECAY_UNITY / (p.du + 1))
        common = {"tau_syn": tau_syn, "tau_mem": tau, "r": tau.copy(), "v_leak": leak, "w_in": tau_syn.copy()}
        node = nir.CubaLIF(v_threshold=full(p.vth * unit), **common) if p.fires else nir.CubaLI(**common)
    keys = [*REGISTER_RANGES, *(["v_min"] if p.v_min is not None else []), *(["v_start"] if p.v_start.any() else [])]
    registers = {key: np.atleast_1d(getattr(p, key)).astype(np.int32) for key in keys}
    dims = {key: getattr(p, key).ndim for key in keys}
    record = {"reset": p.reset, "fires": p.fires, "source": p.source}
    node.metadata = {
        "chip": _json({**record, **_integer_options(p)}),
        "dims": _json({**dims, "scale": p.scale.ndim}),
        "scale": np.atleast_1d(p.scale).astype(np.float64),
        "reset": p.reset,
        **registers,
    }
    return node


def _integer_options(p: Population) -> dict[str, int]:
    """Without those that are not used, as in files from before there were options."""
    options = {"refractory": (p.refractory, 0), "max_spikes": (p.max_spikes, 1)}
    return {key: value for key, (value, usual) in options.items() if value != usual}


def _connect(
    network: ChipNetwork,
    projection: Projection | HostProjection,
    nodes: dict[str, nir.NIRNode],
    edges: list[tuple[str, str]],
) -> None:
    """Edges for NIR readers, with the Flatten that NIR wants between an image and a matrix."""
    shape = network.source_shape(projection.source)
    before = projection.source
    if projection.geometry is None and len(shape) > 1:
        before = f"{projection.name}.flatten"
        nodes[before] = nir.Flatten({"input": np.array(shape)}, 0, -1)
        nodes[before].metadata = {"chip": _json({"kind": "shape"})}
        edges.append((projection.source, before))
    edges += [(before, projection.name), (projection.name, projection.target)]


def _synapse_node(p: Projection, network: ChipNetwork) -> nir.NIRNode:
    weight = p.weight.astype(np.float64) * 2.0 ** (p.weight_exp + SYNAPSE_SHIFT)
    node = _linear_node(weight, None, p.geometry, network.source_shape(p.source))
    node.metadata = {
        "chip": _json(
            {
                "kind": "chip",
                "source": p.source,
                "target": p.target,
                "weight_exp": p.weight_exp,
                "delay": p.delay,
                "geometry": p.geometry,
            }
        ),
        "weight": p.weight.astype(np.int16),
    }
    return node


def _linear_node(
    weight: np.ndarray, bias: np.ndarray | None, geometry: Geometry | None, source_shape: tuple[int, ...]
) -> nir.NIRNode:
    if geometry is None:
        return nir.Linear(weight) if bias is None else nir.Affine(weight, np.asarray(bias, dtype=np.float64))
    bias = np.zeros(len(weight)) if bias is None else np.asarray(bias, dtype=np.float64)
    if weight.ndim == 3:
        slide = (geometry.stride[0], geometry.padding[0], geometry.dilation[0])
        return nir.Conv1d(source_shape[1], weight, *slide, geometry.groups, bias)
    return nir.Conv2d(
        source_shape[1:], weight, geometry.stride, geometry.padding, geometry.dilation, geometry.groups, bias
    )


def _read_nodes(graph: nir.NIRGraph, network: ChipNetwork) -> None:
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            raise ValueError(f"{name}: nested graphs have no place here")
        record = json.loads(_text(node.metadata["chip"]))
        if isinstance(node, nir.Input):
            network.inputs[name] = TypeAdapter(ChipInput).validate_python({**record, "name": name})
        elif isinstance(node, nir.Output):
            network.outputs[name] = TypeAdapter(ChipOutput).validate_python({**record, "name": name})
        elif record.get("kind") == "shape":
            continue
        elif record.get("kind") == "host":
            weight = np.ascontiguousarray(node.weight, dtype=np.float64)
            bias = np.ascontiguousarray(node.bias, dtype=np.float64)
            network.host_projections[name] = HostProjection(
                name, record["source"], record["target"], weight, bias, _geometry(record["geometry"])
            )
        elif record.get("kind") == "chip":
            network.projections[name] = Projection(
                name,
                record["source"],
                record["target"],
                _integers(node.metadata["weight"], np.int16),
                int(record["weight_exp"]),
                _geometry(record["geometry"]),
                int(record["delay"]),
            )
        else:
            _NeuronRecord.model_validate(record)
            dims = json.loads(_text(node.metadata["dims"]))
            keys = [*REGISTER_RANGES, *(key for key in ("v_min", "v_start") if key in dims)]
            registers = {key: _integers(_as_dim(node.metadata[key], dims[key]), np.int64) for key in keys}
            network.populations[name] = Population(
                name,
                tuple(int(n) for n in node.output_type["output"]),
                **registers,
                reset=record["reset"],
                refractory=record.get("refractory", 0),
                max_spikes=record.get("max_spikes", 1),
                fires=record["fires"],
                scale=_as_dim(node.metadata["scale"], dims["scale"]),
                source=record["source"],
            )


def _reorder(items: dict[str, Any], names: list[str]) -> None:
    if sorted(names) != sorted(items):
        raise ValueError(f"the order names {names}, the file holds {sorted(items)}")
    for name in names:
        items[name] = items.pop(name)


def _integers(value: Any, dtype: type) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or (array.astype(dtype) != array).any():
        raise ValueError(f"{array.dtype} where {np.dtype(dtype)} is needed")
    return array.astype(dtype)


def _as_dim(array: np.ndarray, dims: int) -> np.ndarray:
    return np.asarray(array).reshape(()) if dims == 0 else np.asarray(array)


def _json(value: object) -> str:

    def plain(item: object) -> object:
        if is_dataclass(item) and not isinstance(item, type):
            return asdict(item)
        if isinstance(item, np.generic | np.ndarray):
            return item.tolist()
        raise TypeError(f"{type(item).__name__} can't be written")

    return json.dumps(value, default=plain, sort_keys=True)


def _text(value: str | bytes) -> str:
    return value.decode("utf8") if isinstance(value, bytes) else value


def _geometry(record: dict[str, Any] | None) -> Geometry | None:
    if record is None:
        return None
    return Geometry(tuple(record["stride"]), tuple(record["padding"]), tuple(record["dilation"]), int(record["groups"]))
