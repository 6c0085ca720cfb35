"""One run of dalif-energy: counts over real samples, on the mapped network, priced."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.devices import chosen_device
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.opponents.cpu_measurement import find_cpu_counter, measured_cpu
from dalif_deploy.hw_models.energy.opponents.elsewhere import MeasuredElsewhere
from dalif_deploy.hw_models.energy.opponents.equal_accuracy import EqualAccuracy, equal_accuracy
from dalif_deploy.hw_models.energy.opponents.gpu_measurement import find_counter, measured_gpu
from dalif_deploy.hw_models.energy.report import EnergyReport, energy_report
from dalif_deploy.hw_models.energy.report.report import Sanafe, SanafeRow, Time
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.mapping import DoesNotFit, map_or_refusal
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.input_data import InputData
from dalif_deploy.hw_models.samples.recording import EncodedSamples
from dalif_deploy.hw_models.samples.stream import InputStream
from dalif_deploy.sharding.cluster import open_cluster
from dalif_deploy.simulation.data_fit import require_fit, warn_if_silent
from dalif_deploy.simulation.engines import make_engine
from dalif_deploy.simulation.one_engine import run_engine
from dalif_deploy.simulation.relu_baseline import relu_baseline
from dalif_deploy.simulation.shards import count_shards


def report_on_samples(
    artefact: Artefact,
    inputs: InputData,
    *,
    data: str = "",
    name: str = "",
    batch_size: int | None = None,
    device: str = "cpu",
    elsewhere: MeasuredElsewhere | None = None,
    progress: Callable[[int, int], None] | None = None,
    cluster: str | None = None,
) -> tuple[EnergyReport, DoesNotFit | None]:
    """The report of `dalif_deploy.hw_models.energy.report`, and the refusal of a network that no chip has room for.

    Args:
        data, name: of the samples and of the exported network, for the reader.
        batch_size: samples simulated at a time.
        device: of the simulator while it counts, see `chosen_device`.
        elsewhere: what another machine measured of this network; then nothing is measured here.
        progress: called with the samples done by a batch, and all.
        cluster: where samples are counted, in place of this process: see `dalif_deploy.sharding.cluster`.

    Raises:
        UserError: the samples do not fit the network, or another network was measured.
    """
    network = artefact.network
    require_fit(artefact, inputs, None)
    encoded = InputStream(network, inputs)  # all samples at once might not fit in memory
    mapping, does_not_fit = map_or_refusal(network, encoded)
    done = None if progress is None else lambda samples: progress(samples, encoded.samples)
    if cluster is None:
        counts = count_activity(
            network, encoded, mapping=mapping, batch_size=batch_size, device=chosen_device(device), progress=done
        )
    else:
        with open_cluster(cluster) as opened:
            counts = count_shards(
                artefact,
                inputs,
                opened,
                steps=encoded.steps,
                mapping=mapping,
                batch_size=batch_size,
                device=device,
                progress=done,
            )
    warn_if_silent(any(bool(each.spikes.any()) for each in counts.populations.values()), artefact.folder)
    devices = measure_devices(artefact, encoded, data=data, name=name) if elsewhere is None else elsewhere
    devices.require_network(artefact.network_sha256)
    report = energy_report(
        network,
        encoded,
        counts,
        measured=devices.gpu,
        not_measured=devices.gpu_not_measured_because,
        measured_cpu=devices.cpu,
        cpu_not_measured=devices.cpu_not_measured_because,
        measured_on=None if elsewhere is None else devices.machine,
        does_not_fit=does_not_fit,
        data=data,
        artefact=name,
    )
    return report, does_not_fit


def measure_devices(
    artefact: Artefact, encoded: EncodedSamples, *, data: str = "", name: str = ""
) -> MeasuredElsewhere:
    """What this machine's GPU and processor say of their own energy while they run the network."""
    counter, reason = find_counter()
    cpu_counter, cpu_reason = find_cpu_counter()
    return MeasuredElsewhere(
        machine=platform.platform(),
        network_sha256=artefact.network_sha256 or "",
        artefact=name,
        data=data,
        samples=encoded.samples,
        steps=encoded.steps,
        gpu=measured_gpu(artefact.network, encoded, counter) if counter else [],
        gpu_not_measured_because=reason,
        cpu=measured_cpu(artefact.network, encoded, cpu_counter) if cpu_counter else [],
        cpu_not_measured_because=cpu_reason,
    )


def measure_on_samples(artefact: Artefact, inputs: InputData, *, data: str = "", name: str = "") -> MeasuredElsewhere:
    """`measure_devices` for samples as they come.

    Raises:
        UserError: the samples do not fit the network.
    """
    require_fit(artefact, inputs, None)
    return measure_devices(artefact, InputStream(artefact.network, inputs), data=data, name=name)


def compared_at_equal_accuracy(
    artefact: Artefact, inputs: InputData, labels: np.ndarray | None, baseline: Path, report: EnergyReport
) -> EqualAccuracy:
    """A ReLU network's 8-bit energy and accuracy beside this network's, on the report's samples.

    Raises:
        UserError: no labels, samples that are no images, or a file that holds no ReLU network for them.
    """
    if labels is None:
        raise UserError("--baseline compares accuracies, and the data have no labels", remedy="give data with labels")
    if not isinstance(inputs, np.ndarray) or inputs.ndim != 4:
        raise UserError("--baseline takes images [N, C, H, W]", remedy="compare networks of images")
    found = relu_baseline(baseline, inputs, labels)
    own = run_engine(make_engine("fast", artefact, inputs), None, labels).accuracy
    if own is None:
        raise UserError("the network has several outputs, so its accuracy is not known", where=str(artefact.folder))
    return equal_accuracy(found, own, report.arithmetic_45nm, report.memory_45nm, report.samples)


def compared_with_sanafe(artefact: Artefact, inputs: InputData) -> Sanafe:
    """SANA-FE's counts beside this project's, means over samples; see `dalif_deploy.converters.sanafe.cost_comparison`.

    Raises:
        UserError: SANA-FE is missing or can't hold the network.
    """
    from dalif_deploy.converters.sanafe.cost_comparison import compare_costs

    encoded = encode_input(artefact.network, inputs)
    rows, seconds = compare_costs(artefact.network, encoded)
    return Sanafe(
        samples=encoded.samples,
        rows=[
            SanafeRow(
                name=row.name,
                unit=row.unit,
                ours=float(row.ours.mean()),
                sanafe=float(row.sanafe.mean()),
                largest_difference=float(abs(row.ours - row.sanafe).max()),
            )
            for row in rows
        ],
        sanafe_seconds=Time(mean=float(seconds.mean()), status="modelled by SANA-FE, a sample alone in the pipeline"),
        taken_off="what running one sample at a time adds in SANA-FE: accesses while the pipeline fills and "
        "empties, and the step in which a finished layer forgets its membrane",
    )
