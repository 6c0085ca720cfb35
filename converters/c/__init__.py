"""A ChipNetwork as C99: exact, without allocation, float or library."""

from .generate import generate_c

__all__ = ["generate_c"]
