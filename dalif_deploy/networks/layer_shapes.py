"""Shapes of a stack's layers, without building them."""

from __future__ import annotations

from dalif_deploy.networks.layers import INPUT, Branch, Layer

Shape = tuple[int, ...]


def pooled_shape(branch: Branch, shape: Shape) -> Shape:
    """Shape that a branch's weights see of sources of `shape`."""
    if len(shape) == 1 or branch.pool == 1:
        return shape
    return (shape[0], *((n // branch.pool if branch.pool else 1) for n in shape[1:]))


def layer_shapes(layers: tuple[Layer, ...], input_shape: Shape) -> dict[str, Shape]:
    """Shape of the input and of each layer.

    Raises:
        ValueError: an image too small for the architecture.
    """
    shapes = {INPUT: input_shape}
    for layer in layers:
        b = layer.branches[0]
        pooled = pooled_shape(b, shapes[b.sources[0]])
        size = () if b.kind == "dense" else tuple((n + 2 * b.padding - b.kernel) // b.stride + 1 for n in pooled[1:])
        if min((*pooled, *size)) < 1:
            raise ValueError(f"{layer.name} has no pixel left: the image {list(input_shape)} is too small")
        shapes[layer.name] = (layer.channels, *size)
    return shapes
