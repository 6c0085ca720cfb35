"""One run of dalif-energy: counts over real samples, on the mapped network, priced."""

from __future__ import annotations

from collections.abc import Callable

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.devices import chosen_device
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.opponents.cpu_measurement import find_cpu_counter, measured_cpu
from dalif_deploy.hw_models.energy.opponents.gpu_measurement import find_counter, measured_gpu
from dalif_deploy.hw_models.energy.report import EnergyReport, energy_report
from dalif_deploy.hw_models.energy.report.report import Sanafe, SanafeRow, Time
from dalif_deploy.hw_models.mapping import DoesNotFit, map_or_refusal
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.input_data import InputData
from dalif_deploy.hw_models.samples.stream import InputStream
from dalif_deploy.sharding.cluster import open_cluster
from dalif_deploy.simulation.data_fit import require_fit
from dalif_deploy.simulation.shards import count_shards


def report_on_samples(
    artefact: Artefact,
    inputs: InputData,
    *,
    data: str = "",
    name: str = "",
    batch_size: int | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    cluster: str | None = None,
) -> tuple[EnergyReport, DoesNotFit | None]:
    """The report of `dalif_deploy.hw_models.energy.report`, and the refusal of a network that no chip has room for.

    Args:
        data, name: of the samples and of the exported network, for the reader.
        batch_size: samples simulated at a time.
        device: of the simulator while it counts, see `chosen_device`.
        progress: called with the samples done by a batch, and all.
        cluster: where samples are counted, in place of this process: see `dalif_deploy.sharding.cluster`.
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
    counter, reason = find_counter()
    measured = measured_gpu(network, encoded, counter) if counter else []
    cpu_counter, cpu_reason = find_cpu_counter()
    report = energy_report(
        network,
        encoded,
        counts,
        measured=measured,
        not_measured=reason,
        measured_cpu=measured_cpu(network, encoded, cpu_counter) if cpu_counter else None,
        cpu_not_measured=cpu_reason,
        does_not_fit=does_not_fit,
        data=data,
        artefact=name,
    )
    return report, does_not_fit


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
