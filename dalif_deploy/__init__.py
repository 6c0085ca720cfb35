"""Train DA-LIF networks, take them to Loihi-class hardware, and prove that nothing was lost on the way.

Names below load when first used, so that importing the package, and every `--help`, stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS = {
    "export": "dalif_deploy.api",
    "load": "dalif_deploy.api",
    "simulate": "dalif_deploy.api",
    "check": "dalif_deploy.api",
    "convert": "dalif_deploy.rate_coding",
    "coded_samples": "dalif_deploy.converters.capture.coded_samples",
    "energy_report": "dalif_deploy.api",
    "load_norse": "dalif_deploy.converters.norse.norse_network",
    "DALIF": "dalif_deploy.neuron",
    "NetworkSpec": "dalif_deploy.networks",
    "build_network": "dalif_deploy.networks",
    "load_checkpoint": "dalif_deploy.networks.checkpoint",
    "load_data": "dalif_deploy.data",
    "train": "dalif_deploy.training",
    "export_network": "dalif_deploy.converters.export_network",
    "load_artefact": "dalif_deploy.converters.artefact",
    "write_nir": "dalif_deploy.converters.nir_file",
}
__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("dalif-deploy")
    except PackageNotFoundError:  # run from its source folder
        return "0+not.installed"
