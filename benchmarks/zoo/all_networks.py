"""The list of all networks that can be built with what is installed.

python -m benchmarks.zoo.all_networks prints it.
"""

from __future__ import annotations

from importlib import import_module

from .entry import ZooNetwork

# file -> the framework without which it is left out
FILES = {
    "snntorch_tutorials": "snntorch",
    "snntorch_neurons": "snntorch",
    "spikingjelly_zoo": "spikingjelly",
    "norse_examples": "norse",
    "lightning_modules": "pytorch_lightning",
    "sinabs_examples": "sinabs",
    "plain_torch": "torch",
    "written_states": "torch",
    "dalif_networks": "dalif_deploy",
}


def all_networks() -> tuple[list[ZooNetwork], list[str]]:
    """The networks, and the frameworks that are not installed and whose networks are therefore missing."""
    networks: list[ZooNetwork] = []
    missing = []
    for file, framework in FILES.items():
        try:
            networks += import_module(f".{file}", __package__).NETWORKS
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] != framework:
                raise
            missing.append(framework)
    return networks, sorted(set(missing))


if __name__ == "__main__":
    found, absent = all_networks()
    for network in found:
        print(f"{network.name:32} {network.framework:14} {network.follows}")
    print(f"{len(found)} networks" + (f"; not installed: {', '.join(absent)}" if absent else ""))
