"""Runs a module under a dispatch mode: every tensor operation outside of neurons is seen, with its real numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.progress import told

from .circular_padding import pad
from .coded_input import Codings, is_of_data
from .frameworks.handwritten import Tried
from .inline_neurons import InlineNeurons
from .layout import LayoutError, Tracked, single
from .neuron_calls import NeuronCalls
from .operations import HANDLERS, UNTRACKED
from .population import Neuron, Population, UnknownNeuronError
from .refusals import why_not
from .values import Untold, Value

Rewrite = dict[str, str]
RUNNING = "running the module, operations"


class Recorder(TorchDispatchMode):
    """Keeps, for each tensor that depends on the data, which value of which time step it is.

    Args:
        neuron_of: a module -> how it is called, None if it is no neuron.
        names: id of a module -> its name in the network.
        batch: number of samples.
        rewrite: {"max-pool": "after-spikes" or "average"}, for pools over currents.
        expected: operations of the whole run, if they are known, for who waits.
    """

    def __init__(
        self,
        neuron_of: Callable[[str, nn.Module], Neuron | None],
        names: dict[int, str],
        batch: int,
        rewrite: Rewrite | None = None,
        expected: int | None = None,
    ):
        super().__init__()  # type: ignore[no-untyped-call]
        self.batch = batch
        self.rewrite = rewrite or {}
        self.operations = 0
        self._expected = expected
        self.tracked: Any = WeakTensorKeyDictionary()
        self.neurons = NeuronCalls(self)
        self.postponed_pools: Any = WeakTensorKeyDictionary()
        self._views: Any = WeakTensorKeyDictionary()
        self._neuron_of, self._names = neuron_of, names
        self._tried = Tried()
        self.inline = InlineNeurons()
        self.codings = Codings()
        self._path: list[str] = []

    @property
    def populations(self) -> list[Population]:
        """Layers of neurons in the order in which they were first called."""
        return self.neurons.populations

    @property
    def where(self) -> str:
        """Name of the module that is running."""
        return self._path[-1] if self._path else ""

    def _count(self) -> None:
        """One more call of a neuron, or operation outside of them."""
        self.operations += 1
        expected = None if self._expected is None or self.operations > self._expected else self._expected
        told(RUNNING, self.operations, expected)

    def finished(self) -> None:
        """The module has run."""
        told(RUNNING, self.operations, self.operations)

    def track(self, tensor: torch.Tensor, as_what: Tracked) -> None:
        """From now on `tensor` is known."""
        self.tracked[tensor] = as_what

    def of(self, tensor: object) -> Tracked | None:
        """What a tensor is, None if it does not depend on the data."""
        if not isinstance(tensor, torch.Tensor):
            return None
        found: Tracked | None = self.tracked.get(tensor)
        return found

    def untold(self, tensor: torch.Tensor, what: str, remedy: str, of_data: bool = False) -> None:
        """Marks a tensor that no graph can say."""
        self.track(tensor, single(Untold((), self.where or "the network", what, remedy, of_data), self.batch))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Neuron modules are leaves while this is open."""
        original = nn.Module.__call__

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            inner = getattr(module, "_orig_mod", None)
            if isinstance(inner, nn.Module):
                return call(inner, *args, **kwargs)
            name = self._names.get(id(module), self.where)
            refused = None
            try:
                neuron = self._neuron_of(name, module)
            except UnknownNeuronError as error:
                neuron, refused = None, error
            if neuron is None and any(self.of(a) is not None for a in args):
                with _disable_current_modes(), mock.patch.object(nn.Module, "__call__", original):
                    neuron = self._tried(module, args)
            if neuron is None and refused is not None:
                raise refused
            self._path.append(name)
            try:
                if neuron is None:
                    return original(module, *args, **kwargs)
                self._count()
                with _disable_current_modes(), mock.patch.object(nn.Module, "__call__", original):
                    return self.neurons.call(name or "neuron", module, neuron, args, kwargs)
            finally:
                self._path.pop()

        with torch.no_grad(), mock.patch.object(nn.Module, "__call__", call), mock.patch.object(F, "pad", pad), self:
            yield

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See TorchDispatchMode."""
        kwargs = kwargs or {}
        self._count()
        name = func.overloadpacket.__name__
        arguments = [a for a in tree_leaves((args, kwargs)) if isinstance(a, torch.Tensor)]
        if not any(a in self.tracked for a in arguments):
            out = func(*args, **kwargs)
            self._note_view(name, args, out)
            return out
        if name == "max_pool2d_with_indices" and (out := self._pooled_otherwise(func, args)) is not None:
            return out
        asked = args
        if name.endswith("_") and name != "copy_" and args[0] not in self.tracked:
            asked = (args[0].clone(), *args[1:])  # what a constant was before it is written over
        out = func(*args, **kwargs)
        if name == "select" or (name in ("slice", "alias", "view") and args[0] in self._views):
            self._note_view(name, args, out)  # a buffer that is written into already
        if name in UNTRACKED and not name.startswith("bernoulli"):
            return out
        self._follow(name, func, asked, kwargs, out)
        return out

    def _follow(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        results = [o for o in tree_leaves(out) if isinstance(o, torch.Tensor)]
        arguments = [a for a in tree_leaves((args, kwargs)) if isinstance(a, torch.Tensor)]
        for tensor in tree_leaves((args, kwargs)):
            known = self.of(tensor)
            if known is None:
                continue
            untold = [v for v in known.all() if isinstance(v, Untold)]
            hidden = untold[0] if untold else None
            passed_by = name == "select" and len(untold) < len(known.all())  # another entry of a buffer
            if name == "copy_" and tensor is not args[1]:
                continue  # what is written over
            if hidden is not None and not passed_by:
                if not (hidden.of_data and self._coded(name, args, kwargs, results)):
                    for result in results:
                        self.track(result, single(hidden, self.batch))
                    if name == "copy_" and args[0] in self._views:
                        self.track(self._views[args[0]][0], single(hidden, self.batch))
                return
        plain = name.rstrip("_") if not name.startswith("_") else name
        handler = HANDLERS.get(plain)
        try:
            if handler is None:
                raise LayoutError
            found = handler(self, func, args, kwargs, out)
        except LayoutError:
            if not self._coded(plain, args, kwargs, results):
                of_data = all(map(is_of_data, self._operands(args, kwargs)))
                what, remedy = why_not(plain, [v for v in arguments if self.of(v) is None], self.batch)
                for result in results:
                    self.untold(result, what, remedy, of_data)
            return
        for result, tracked in zip(results, found if isinstance(found, list) else [found], strict=False):
            if tracked is not None:
                self.track(result, tracked)
                if name == "copy_":
                    self._written_through(args[0], tracked)

    def _operands(self, args: Any, kwargs: Any) -> list[Value]:
        return [v for t in tree_leaves((args, kwargs)) if (known := self.of(t)) is not None for v in known.all()]

    def _coded(self, name: str, args: Any, kwargs: Any, results: list[torch.Tensor]) -> bool:
        """True if the results were made an input of the network."""
        operands = [(t, known) for t in tree_leaves((args, kwargs)) if (known := self.of(t)) is not None]
        found = [self.codings.of(name, operands, result) for result in results]
        if not found or any(each is None for each in found):
            return False
        for result, each in zip(results, found, strict=True):
            assert each is not None
            self.track(result, each)
        return True

    def _pooled_otherwise(self, func: Any, args: Any) -> Any:
        """The result of a max pool over currents that the user wants rewritten."""
        from .max_pool import rewritten_pool

        return rewritten_pool(self, func, args)

    def _note_view(self, name: str, args: Any, out: Any) -> None:
        """Remembers `buffer[t]` of a buffer that the network may write its results into."""
        if not isinstance(out, torch.Tensor):
            return
        if name == "select":
            dim = int(args[1]) % args[0].dim()
            self._views[out] = (args[0], dim, int(args[2]) % args[0].shape[dim])
        elif name in ("slice", "alias", "view") and args[0] in self._views and out.shape == args[0].shape:
            self._views[out] = self._views[args[0]]

    def _written_through(self, view: torch.Tensor, tracked: Tracked) -> None:
        """`buffer[t] = x` makes the buffer a list of values."""
        found = self._views.get(view)
        if found is None:
            return
        from .buffers import written

        buffer, dim, index = found
        self.track(buffer, written(self, buffer, dim, index, tracked))


def fail_if_untold(tracked: Tracked) -> None:
    """Raises for a value that no graph can say."""
    for value in tracked.all():
        if isinstance(value, Untold):
            raise UserError(value.what, where=value.name, remedy=value.remedy)
