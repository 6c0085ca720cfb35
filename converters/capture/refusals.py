"""What to say of an operation that the graph has no word for: what the chip can't do, where that is it."""

from __future__ import annotations

import torch

ELEMENT_BY_ELEMENT = {"add", "sub", "rsub", "mul", "div", "true_divide"}
PRODUCTS = {"mul", "bmm", "mm", "matmul", "addmm", "baddbmm", "addcmul", "addcdiv", "dot", "linear", "convolution"}
QUOTIENTS = {"div", "true_divide", "reciprocal", "floor_divide", "remainder", "fmod"}
COMPARISONS = {
    "gt", "ge", "lt", "le", "eq", "ne", "max", "min", "amax", "amin", "maximum", "minimum", "topk", "sort", "argmax",
    "argmin", "argsort", "where", "clamp", "clamp_min", "clamp_max", "kthvalue", "median", "max_pool1d",
    "max_pool3d_with_indices", "adaptive_max_pool2d",
}  # fmt: skip
NORMS = {"native_layer_norm", "native_group_norm", "std", "var", "var_mean", "std_mean", "linalg_vector_norm", "norm"}
FUNCTIONS = {
    "exp", "exp2", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "sin", "cos", "atan", "erf", "gelu", "silu", "elu",
    "leaky_relu", "softplus", "pow", "round", "floor", "ceil", "mish", "hardswish", "hardsigmoid", "celu", "prelu",
    "_prelu_kernel", "hardtanh", "square",
}  # fmt: skip


def why_not(name: str, constants: list[torch.Tensor], batch: int) -> tuple[str, str]:
    """What the operation does, and what to do about it.

    Args:
        name: of the operation, as aten has it.
        constants: what it takes beside what depends on the data.
        batch: number of samples.
    """
    plain = name.strip("_")
    if name in ELEMENT_BY_ELEMENT and any(_differs_by_sample(each, batch) for each in constants):
        return (
            f"numbers that differ from sample to sample ({plain}), as noise does; the chip computes the same for all",
            "leave the noise out in evaluation (if not self.training), or add it to the data",
        )
    if name in NORMS:
        return f"a norm ({plain}) of the activity at hand; neurons on the chip add, they can't divide by it", (
            "use a batch norm with running statistics"
        )
    if name in QUOTIENTS or (name in PRODUCTS and not constants):
        return f"a product of two signals ({plain}); neurons on the chip add", "multiply by constants only"
    if name in COMPARISONS:
        return (
            f"signals that are compared ({plain}); a neuron on the chip compares its own membrane with a fixed number",
            "compare a membrane with a constant, and reset it with v * (1 - spike) or v - spike * threshold",
        )
    if name in FUNCTIONS:
        return f"the function {plain} between layers; neurons on the chip add, leak and fire", (
            "put a spiking neuron in its place, or take it of the network's result"
        )
    return (
        f"the operation {plain} mixes what NIR keeps apart, or has no node in NIR",
        "leave it out, or do it after the network",
    )


def _differs_by_sample(constant: torch.Tensor, batch: int) -> bool:
    axes = [i for i, n in enumerate(constant.shape) if n == batch]
    return any(bool((constant != constant.narrow(i, 0, 1)).any()) for i in axes[:1]) and constant.is_floating_point()
