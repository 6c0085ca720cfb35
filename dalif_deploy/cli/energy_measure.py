"""dalif-energy --measure-only: this machine's devices, for a report that is made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dalif_deploy.cli.command import write_json
from dalif_deploy.hw_models.errors import CheckFailed, UserError

if TYPE_CHECKING:
    from dalif_deploy.converters.artefact import Artefact
    from dalif_deploy.hw_models.samples.input_data import InputData


def refuse_with_measuring(others: dict[str, Any], json_file: str | None) -> None:
    """Options that make no sense where nothing but the devices is measured, and the one that must be there."""
    for option, given in others.items():
        if given is not None:
            raise UserError(f"{option} is for a report, not for --measure-only")
    if json_file is None:
        raise UserError("--measure-only has nowhere to write", remedy="add --json FILE")


def run_measurement(
    artefact: Artefact, inputs: InputData, *, data: str, name: str, json_file: str | None, force: bool
) -> None:
    """Measures, writes the file, and says what was found.

    Raises:
        CheckFailed: neither device counts its energy; the file with the reasons is written all the same.
    """
    from rich.console import Console

    from dalif_deploy.hw_models.energy.units import readable
    from dalif_deploy.simulation.energy_session import measure_on_samples

    found = measure_on_samples(artefact, inputs, data=data, name=name)
    write_json(found.to_dict(), json_file, force=force)
    console = Console(stderr=json_file == "-")
    for row in [*found.gpu, *found.cpu]:
        device = getattr(row, "gpu", None) or getattr(row, "processor", "")
        console.print(
            f"{device}, batch {row.batch}: {readable(row.joules, 'J')} a sample, "
            f"{readable(row.joules_idle, 'J')} of it idle, in {readable(row.seconds, 's')}",
            markup=False,
            highlight=False,
        )
    if not found.gpu and not found.cpu:
        raise CheckFailed(
            f"nothing could be measured: GPU: {found.gpu_not_measured_because}; "
            f"processor: {found.cpu_not_measured_because}"
        )
