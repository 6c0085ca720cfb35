"""A dense layer behind a convolution becomes one matrix, equal to the two applied one after the other."""

from __future__ import annotations

import nir
import numpy as np
import pytest

from dalif_deploy.hw_models.compiler.fold_linear import append_node, identity
from dalif_deploy.hw_models.graph import flatten_graph
from dalif_deploy.hw_models.reference import run_reference
from tests.nir_networks import DT

RNG = np.random.default_rng(4)
CONVOLUTIONS = {
    "1d, strided, grouped": (nir.Conv1d(11, RNG.normal(size=(4, 1, 3)), 2, 1, 2, 2, np.zeros(4)), (2, 11)),
    "2d, a rest at the border": (
        nir.Conv2d((8, 7), RNG.normal(size=(3, 2, 3, 2)), (3, 2), (1, 0), (1, 2), 1, np.zeros(3)),
        (2, 8, 7),
    ),
    "pool": (nir.AvgPool2d(np.array([2, 3]), np.array([2, 2]), np.array([0, 1])), (2, 6, 7)),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_dense_behind_a_convolution(name):
    node, shape = CONVOLUTIONS[name]
    nodes = {
        "input": nir.Input({"input": np.array(shape)}),
        "conv": node,
        "flatten": nir.Flatten({"input": None}, 0, -1),
    }
    edges = [("input", "conv"), ("conv", "flatten"), ("flatten", "dense"), ("dense", "output")]
    size = flattened_size(nodes, edges)
    nodes["dense"] = nir.Linear(RNG.normal(size=(5, size)))
    nodes["output"] = nir.Output({"output": np.array([5])})
    graph = nir.NIRGraph(nodes, edges, type_check=False)
    flat = flatten_graph(graph)
    chain = identity(shape)
    for each in ("conv", "flatten", "dense"):
        (chain,) = append_node(chain, each, flat, DT)
    x = RNG.normal(size=(3, *shape))
    expected = run_reference(graph, x, dt=DT, steps=1).outputs["output"][:, 0]
    np.testing.assert_allclose(x.reshape(3, -1) @ chain.weight.T, expected, rtol=1e-10, atol=1e-12)


def flattened_size(nodes, edges):
    ended = {**nodes, "output": nir.Output({"output": None})}
    flat = flatten_graph(nir.NIRGraph(ended, [*edges[:2], ("flatten", "output")], type_check=False))
    return flat.shapes["flatten"][0]
