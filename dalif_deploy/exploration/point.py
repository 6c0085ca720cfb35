"""One point of a sweep: the source exported with its settings, run on the samples, counted, mapped and modelled.

What that needs is imported in the functions: the process that only hands out points does without torch.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dalif_deploy.converters.file_digest import file_digest
from dalif_deploy.exploration.sweep_source import SweepSource
from dalif_deploy.hw_models.errors import UserError

if TYPE_CHECKING:
    from dalif_deploy.converters.artefact import Artefact
    from dalif_deploy.converters.export_request import ExportRequest
    from dalif_deploy.data import LabelledData

REFUSED = "not possible"


@dataclass
class PointWork:
    """What every point has in common; called with a point's settings in a worker process.

    Attributes:
        device: of the simulator, see `chosen_device`.
        digest: SHA-256 of the source's file, so that no other machine's file of that name is taken for it.
        threads: of torch, a process; None leaves it to the machine.
        folder: where points are exported, each for as long as it is looked at; None is the machine's own temporary
            folder.
    """

    source: SweepSource
    digest: str
    data: str
    limit: int | None
    batch_size: int | None
    device: str
    data_root: Path | None
    threads: int | None
    folder: Path | None
    _checked: bool = field(default=False, repr=False)
    _loaded: tuple[int, LabelledData] | None = field(default=None, repr=False)

    def __call__(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The point's figures, or why there are none: `status` "done", "does not fit" or "not possible"."""
        import torch

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        name = "_".join(f"{key}-{value}" for key, value in settings.items()) or "point"
        try:
            self._require_source()
            with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=self.folder, ignore_cleanup_errors=True) as folder:
                figures = self._figures(Path(folder) / "exported", {**self.source.settings, **settings})
                return {"settings": settings, **figures}
        except UserError as refusal:
            return {"settings": settings, "status": REFUSED, "why": str(refusal)}

    def _require_source(self) -> None:
        if not self._checked and file_digest(self.source.file) != self.digest:
            raise RuntimeError(f"{self.source.file} on {platform.node()} is another file than where the sweep began")
        self._checked = True

    def _figures(self, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
        from dalif_deploy.converters.export_network import export_network
        from dalif_deploy.hw_models.devices import chosen_device
        from dalif_deploy.hw_models.energy.counts import count_activity
        from dalif_deploy.hw_models.energy.latency import latency_figures
        from dalif_deploy.hw_models.energy.loihi_sanafe import sanafe_energy
        from dalif_deploy.hw_models.energy.models import loihi_energy
        from dalif_deploy.hw_models.energy.report.build import host_figures
        from dalif_deploy.hw_models.energy.report.counts import count_figures
        from dalif_deploy.hw_models.mapping import map_or_refusal
        from dalif_deploy.hw_models.samples.encode import encode_input
        from dalif_deploy.hw_models.samples.input_data import sample_count, take_samples
        from dalif_deploy.simulation.engines import make_engine
        from dalif_deploy.simulation.one_engine import run_engine

        artefact = export_network(self.source.file, "lava", folder, request=export_request(settings), dt=self.source.dt)
        samples = self._samples(artefact)
        labels = None if samples.labels is None else samples.labels[: self.limit]
        inputs = take_samples(samples.inputs, slice(self.limit))
        simulated = run_engine(make_engine("fast", artefact, inputs, options={"device": self.device}), None, labels)
        network = artefact.network
        encoded = encode_input(network, inputs)
        mapping, refusal = map_or_refusal(network, encoded)
        counts = count_activity(
            network, encoded, mapping=mapping, batch_size=self.batch_size, device=chosen_device(self.device)
        )
        energy, sanafe = loihi_energy(counts, network.chip), sanafe_energy(network, counts)
        latency, host = latency_figures(network, encoded, mapping), host_figures(counts)
        return {
            "status": "done" if refusal is None else "does not fit",
            "why": None if refusal is None else str(refusal),
            **{key: artefact.export[key] for key in ("chip", "steps", "input")},
            "weight_bits": artefact.export.get("weight_bits"),
            "samples": sample_count(inputs),
            "accuracy": simulated.accuracy,
            "counts": count_figures(counts).total.model_dump(),
            "cores": None if mapping is None else len(mapping.cores),
            "chips": None if mapping is None else mapping.chips,
            "binding_limit": None if mapping is None else mapping.binding_limit(),
            "energy": energy.model_dump(exclude={"terms"}),
            "energy_sanafe": None if sanafe is None else sanafe.model_dump(exclude={"terms"}),
            "latency": None if latency is None else latency.model_dump(),
            "host": None if host is None else host.model_dump(),
        }

    def _samples(self, artefact: Artefact) -> LabelledData:
        from dalif_deploy.data import load_data

        # one data set at a time; events are counted in as many frames as there are steps
        steps = artefact.network.steps
        if self._loaded is None or self._loaded[0] != steps:
            root = None if self.data_root is None else str(self.data_root)
            with _alone(self.folder):
                self._loaded = steps, load_data(self.data, root, steps=steps)
        return self._loaded[1]


@contextmanager
def _alone(folder: Path | None) -> Iterator[None]:
    """One process at a time, as it may download; a file's lock goes with a process that dies."""
    if folder is None:  # other machines: nothing that is certain to lock for all
        yield
        return
    import fcntl

    with open(folder / "loading", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def export_request(settings: dict[str, Any]) -> ExportRequest:
    """What dalif-export makes of its options of these names."""
    from dalif_deploy.converters.export_request import ExportRequest
    from dalif_deploy.hw_models.compiler import ScaleRule

    group = settings.get("scale-group")
    return ExportRequest(
        chip=settings.get("chip"),
        steps=settings.get("steps"),
        input_mode=settings.get("input"),
        weight_bits=settings.get("weight-bits"),
        scale_rule=None if group is None else ScaleRule(group=group),
    )
