"""Data sets by name, and arrays from .npz files."""

from dalif_deploy.data.lazy_samples import LazySamples
from dalif_deploy.data.load import LabelledData, load_data

__all__ = ["LabelledData", "LazySamples", "load_data"]
