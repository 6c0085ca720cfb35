"""A NIR graph made plain: one level deep, every shape known, every parameter checked. No chip yet, no integers."""

from .flat_graph import FlatGraph, flatten_graph

__all__ = ["FlatGraph", "flatten_graph"]
