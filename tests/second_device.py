"""A device that is none: its tensors hold data, and no operation takes them together with a CPU's.

They call themselves torch.device("lazy"), which every torch knows and has no backend for. Within
`SecondDevice()` whatever is made on, or moved to, that device is one of them.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

DEVICE = torch.device("lazy")


class Far(torch.Tensor):
    """A tensor of the second device; `held` is its data."""

    @staticmethod
    def __new__(cls, held):
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return dispatch(func, args, kwargs or {})


class SecondDevice(TorchDispatchMode):
    """The device is there."""

    def __enter__(self):
        self.copies = CopiesData()
        self.copies.__enter__()
        return super().__enter__()

    def __exit__(self, *fault):
        super().__exit__(*fault)
        self.copies.__exit__(*fault)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return dispatch(func, args, kwargs or {})


class CopiesData(TorchFunctionMode):
    """What makes tensors of numbers and arrays does so unseen by dispatch modes: it gets to make a CPU's."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            device = torch.device(kwargs.pop("device"))
            return func(*args, **kwargs).to(device)
        if func is torch.Tensor.new_tensor and isinstance(args[0], Far):
            return torch.tensor(*args[1:], dtype=args[0].dtype, **kwargs).to(DEVICE)
        return func(*args, **kwargs)


def dispatch(func, args, kwargs):
    """The operation on what the tensors hold, if all are of one device; a CPU's number without axes goes anywhere."""
    tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, torch.Tensor)]
    far = [each for each in tensors if isinstance(each, Far)]
    near = [each for each in tensors if not isinstance(each, Far) and each.ndim]
    copies = func.overloadpacket in (torch.ops.aten.copy_, torch.ops.aten._to_copy)
    if far and near and not copies:
        raise RuntimeError(f"{func}: tensors of two devices, {[tuple(each.shape) for each in far + near]}")
    target = kwargs.get("device")
    if target is not None and torch.device(target) == DEVICE:
        kwargs, wrap = {**kwargs, "device": "cpu"}, True
    else:
        wrap = bool(far) and target is None
        if copies and func.overloadpacket is torch.ops.aten.copy_:
            wrap = isinstance(args[0], Far)
    owners = {id(each.held): each for each in far}
    args, kwargs = tree_map_only(Far, lambda each: each.held, (args, kwargs))
    found = func(*args, **kwargs)
    if not wrap:
        return found
    return tree_map_only(torch.Tensor, lambda each: owners[id(each)] if id(each) in owners else Far(each), found)
