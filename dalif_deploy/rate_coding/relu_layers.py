"""The ReLUs of a network, whichever way its author wrote them, each given a place of its own."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import fx, nn

from dalif_deploy.hw_models.errors import UserError

RELU_MODULES = (nn.ReLU, nn.ReLU6)
RELU_CALLS = (F.relu, torch.relu, torch.relu_, F.relu6, F.relu_)
RELU_METHODS = ("relu", "relu_")
# other nonlinearities have no rate that an integrate-and-fire neuron could take on: refused here, by name
OTHER_MODULES = (
    nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.LeakyReLU, nn.PReLU, nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Mish, nn.Softplus,
)  # fmt: skip
OTHER_CALLS = (F.gelu, F.silu, F.elu, F.selu, F.leaky_relu, F.prelu, torch.sigmoid, torch.tanh, F.hardswish, F.mish)


def without_softmax(graph: fx.GraphModule) -> None:
    """Takes a softmax at the very end away: it does not change which class is largest."""
    modules = dict(graph.named_modules())
    (end,) = (node for node in graph.graph.nodes if node.op == "output")
    last = end.args[0]
    while isinstance(last, fx.Node):
        module = modules.get(str(last.target)) if last.op == "call_module" else None
        softmax = isinstance(module, nn.Softmax | nn.LogSoftmax)
        softmax = softmax or last.target in (F.softmax, F.log_softmax, torch.softmax, torch.log_softmax)
        softmax = softmax or (last.op == "call_method" and last.target in ("softmax", "log_softmax"))
        if not softmax:
            return
        source = last.args[0]
        assert isinstance(source, fx.Node)
        end.replace_input_with(last, source)
        graph.graph.erase_node(last)
        last = source


def trace_relus(model: nn.Module, place: Callable[[str], nn.Module]) -> fx.GraphModule:
    """A copy of `model` in eval mode, in which every ReLU is a module of its own, made by `place(name)`.

    One `nn.ReLU` that is used at several places becomes several modules, since each place has a range of its own.

    Raises:
        UserError: no ReLU, another nonlinearity, or a `forward` that torch.fx can't trace.
    """
    where = type(model).__name__
    try:
        graph = fx.symbolic_trace(copy.deepcopy(model).eval())
    except Exception as error:  # of torch.fx, or of the model's own code under it
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"torch.fx can't trace it: {text}", where=where,
                        remedy="write forward without branches that depend on values") from error  # fmt: skip
    without_softmax(graph)
    modules = dict(graph.named_modules())
    found = 0
    for node in list(graph.graph.nodes):
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, OTHER_MODULES) or node.target in OTHER_CALLS:
            name = type(module).__name__ if module is not None else getattr(node.target, "__name__", str(node.target))
            raise UserError(f"{name} has no spiking counterpart", where=node.name,
                            remedy="train the network with ReLU")  # fmt: skip
        relu = isinstance(module, RELU_MODULES) or node.target in RELU_CALLS
        relu = relu or (node.op == "call_method" and node.target in RELU_METHODS)
        if not relu:
            continue
        name = f"spiking_{found}_{node.name}"
        graph.add_submodule(name, place(name))
        with graph.graph.inserting_after(node):
            new = graph.graph.call_module(name, (node.args[0],))
        node.replace_all_uses_with(new)
        graph.graph.erase_node(node)
        found += 1
    if not found:
        raise UserError("there is no ReLU in it", where=where, remedy="give a network that was trained with ReLU")
    _unfold_in_place_adds(graph)
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph


def _unfold_in_place_adds(graph: fx.GraphModule) -> None:
    """`out += identity` writes over what a neuron gave; the plain sum is the same number."""
    for node in graph.graph.nodes:
        if node.op == "call_function" and node.target is operator.iadd:
            node.target = operator.add
