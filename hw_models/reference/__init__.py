"""The float reference: what a NIR graph says, stepped with an explicit dt. Quantised results are judged against it."""

from .interpreter import FloatRecording, run_reference

__all__ = ["FloatRecording", "run_reference"]
