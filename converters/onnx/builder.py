"""An ONNX graph put together node by node, written with values that add and multiply like arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dalif_deploy.hw_models.errors import UserError

if TYPE_CHECKING:
    import onnx

# ONNX 1.12: the oldest that has every operator used here in the form used here, so that old runtimes read the models
OPSET, IR_VERSION = 17, 8
BATCH, TIME = "N", "T or 1"


def require_onnx() -> None:
    """Raises UserError if the onnx package is not installed."""
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise UserError(f"needs onnx ({error})", remedy="pip install 'dalif-deploy[onnx]'") from error


@dataclass(frozen=True)
class Value:
    """A tensor of the graph; arithmetic between two of them adds a node."""

    graph: GraphBuilder
    name: str

    def __add__(self, other: Value) -> Value:
        return self.graph.op("Add", self, other)

    def __sub__(self, other: Value) -> Value:
        return self.graph.op("Sub", self, other)

    def __mul__(self, other: Value) -> Value:
        return self.graph.op("Mul", self, other)

    def __gt__(self, other: Value) -> Value:
        return self.graph.op("Greater", self, other)


class GraphBuilder:
    """Nodes, constants, inputs and outputs of one graph; every tensor has the batch axis N first.

    Attributes:
        scope: where the next nodes belong ("t3/conv1"), for their names.
    """

    def __init__(self, name: str):
        require_onnx()
        self.name, self.scope = name, ""
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[Any, ...], onnx.TensorProto] = {}
        self._inputs: dict[str, onnx.ValueInfoProto] = {}
        self._outputs: dict[str, onnx.ValueInfoProto] = {}

    @property
    def batch_like(self) -> Value:
        """A tensor whose first axis is the batch."""
        return Value(self, next(iter(self._inputs)))

    def input(self, name: str, dtype: type, shape: Sequence[int | str]) -> Value:
        """A tensor [N, *shape] from outside; a word in `shape` is an axis of any length."""
        self._inputs[name] = self._public(name, dtype, shape)
        return Value(self, name)

    def output(self, name: str, value: Value, dtype: type, shape: Sequence[int]) -> None:
        """A tensor [N, *shape] to the outside, cast to `dtype`."""
        self._outputs[name] = self._public(name, dtype, shape)
        self._add("Cast", [value], name, to=_tensor_type(dtype))

    def _public(self, name: str, dtype: type, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
        from onnx import helper

        if name in self._inputs or name in self._outputs:
            raise UserError("two tensors of the ONNX model would have this name", where=name, remedy="rename a layer")
        return helper.make_tensor_value_info(name, _tensor_type(dtype), [BATCH, *shape])

    def constant(self, array: np.ndarray | np.generic) -> Value:
        """The same constant for the same array, however often it is asked for."""
        from onnx import numpy_helper

        array = np.array(array, order="C")
        key = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, f"constant/{len(self._constants)}")
        return Value(self, self._constants[key].name)

    def op(self, kind: str, *inputs: Value, **attributes: Any) -> Value:
        """The one output of a new node."""
        return self._add(kind, inputs, f"{self.scope}/{kind}.{len(self._nodes)}", **attributes)

    def _add(self, kind: str, inputs: Sequence[Value], output: str, **attributes: Any) -> Value:
        from onnx import helper

        names = [value.name for value in inputs]
        self._nodes.append(helper.make_node(kind, names, [output], name=f"node/{output}", **attributes))
        return Value(self, output)

    def cast(self, value: Value, dtype: type) -> Value:
        """The value in another number type."""
        return self.op("Cast", value, to=_tensor_type(dtype))

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        """[N, *shape]."""
        return self.op("Reshape", value, self.constant(np.array([0, *shape], np.int64)))

    def batched(self, array: np.ndarray) -> Value:
        """A constant [*shape] as [N, *shape]."""
        samples = self.op("Shape", self.batch_like, start=0, end=1)
        ones = self.constant(np.ones(array.ndim, np.int64))
        shape = self.op("Concat", samples, ones, axis=0) if array.ndim else samples
        return self.op("Expand", self.constant(array[None]), shape)

    def over_time(self, value: Value, steps: int, axes: int) -> list[Value]:
        """[N, *shape] of each step, from [N, T, *shape] or [N, 1, *shape] for one that stays the same.

        Args:
            axes: of `shape`.
        """
        full = self.op("Expand", value, self.constant(np.array([1, steps, *[1] * axes], np.int64)))
        return [self.op("Gather", full, self.constant(np.array(t, np.int64)), axis=1) for t in range(steps)]

    def stacked(self, values: Sequence[Value]) -> Value:
        """[N, T, *shape] of T values."""
        axis = self.constant(np.array([1], np.int64))
        return self.op("Concat", *(self.op("Unsqueeze", value, axis) for value in values), axis=1)

    def reduced(self, value: Value, how: str) -> Value:
        """[N, *shape] of [N, T, *shape]: "sum" or "max" over time."""
        if how == "sum":
            return self.op("ReduceSum", value, self.constant(np.array([1], np.int64)), keepdims=0)
        return self.op("ReduceMax", value, axes=[1], keepdims=0)

    def model(self, metadata: dict[str, str]) -> onnx.ModelProto:
        """The finished model, with `metadata` as its metadata_props."""
        from onnx import helper

        from ..versions import installed_version

        graph = helper.make_graph(
            self._nodes,
            self.name,
            list(self._inputs.values()),
            list(self._outputs.values()),
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="dalif-deploy")
        model.producer_version = installed_version("dalif-deploy")
        helper.set_model_props(model, metadata)
        return model


def _tensor_type(dtype: type) -> int:
    from onnx import helper

    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
