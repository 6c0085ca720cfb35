"""The models held against published measurements on Loihi: data, comparison, and the error that follows.

NAME.toml        a network that others measured: what they state, where, what had to be assumed
events.json      what those networks did, counted by benchmarks/silicon_counts.py
events.py        events of one inference, and their price
measurements.py  both read
comparison.py    modelled over measured, run by run
model_error.py   the error for networks that a calibration has not seen
"""

from .events import Events

__all__ = ["Events"]
