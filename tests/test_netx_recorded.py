"""lava-dl's .net files, run as netx itself ran them in Lava (tests/data/netx, by benchmarks/netx_check.py)."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.converters.netx.read import read_net
from dalif_deploy.converters.netx.to_nir import integers_to_nir
from dalif_deploy.converters.netx.write import write_net
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.simulation.engines import make_engine

RECORDED = Path(__file__).parent / "data" / "netx"


def test_every_spike_and_membrane_is_what_netx_gave(tmp_path):
    seen = np.load(RECORDED / "seen.npz")
    artefact = export_network(RECORDED / "network.net", "lava", tmp_path / "out", request=ExportRequest(steps=4))
    network = artefact.network
    run = make_engine("fast", artefact, seen["messages"].astype(np.float32)).run(slice(None), ("spikes", "membrane"))
    assert len(network.populations) == len(seen["layers"]) == 3
    for name, layer in zip(network.populations, seen["layers"], strict=True):
        np.testing.assert_array_equal(run.spikes[name], seen[f"{layer}.spikes"], err_msg=layer)
    assert run.spikes[next(iter(network.populations))].mean() > 0.05
    np.testing.assert_array_equal(run.membrane[name], seen["membrane"])


def test_random_files_run_as_they_ran_in_netx(tmp_path):
    """24 files in SLAYER's forms: delays, registers for each channel, filtered currents, input neurons, integrators."""
    recorded, seen, written = np.load(RECORDED / "random.npz"), set(), 0
    for index in range(24):
        path = tmp_path / f"{index}.net"
        path.write_bytes(recorded[f"{index}.net"].tobytes())
        x, network = recorded[f"{index}.input"], replace(read_net(path), steps=12)
        run = simulate(network, encode_input(network, x[None]), record=("spikes", "membrane"))
        for name in network.populations:
            np.testing.assert_array_equal(run.spikes[name][0], recorded[f"{index}.{name}.spikes"], err_msg=path.name)
        np.testing.assert_array_equal(run.membrane[name][0], recorded[f"{index}.membrane"], err_msg=path.name)
        assert float_graph_disagrees(network, x, run) < 0.03, path.name
        seen |= features(network)
        written += written_alike(network, x, run, tmp_path / f"{index}.again.net")
    assert seen == {"delay", "registers", "filter", "input neurons", "integrator"}
    assert written >= 3


def float_graph_disagrees(network, x, run):
    """Share of spikes that its NIR graph, which does not truncate, fires otherwise."""
    reference = run_reference(integers_to_nir(network, 1e-4), x[None], dt=1e-4, steps=12).spikes
    differ = [reference[name] != run.spikes[name] for name in network.populations if network.populations[name].fires]
    return sum(d.sum() for d in differ) / sum(d.size for d in differ)


def features(network):
    populations, delays = network.populations.values(), {p.delay for p in network.projections.values()}
    found = {"delay": len(delays) > 1, "registers": any(p.dv.size > 1 or p.vth.size > 1 for p in populations)}
    found["filter"] = any((p.du < 4095).any() for p in populations)
    found |= {"input neurons": bool(network.host_projections), "integrator": any(not p.fires for p in populations)}
    return {name for name, there in found.items() if there}


def written_alike(network, x, run, path):
    """Whether `write_net` takes the network; where it does, the file gives the same spikes."""
    try:
        write_net(path, network)
    except UserError:
        return False
    again = replace(read_net(path), steps=12)
    found = simulate(again, encode_input(again, x[None]), record=("spikes",)).spikes
    for one, two in zip(run.spikes.values(), found.values(), strict=True):
        np.testing.assert_array_equal(one, two)
    return True


def test_its_float_graph_fires_nearly_alike(tmp_path):
    artefact = export_network(RECORDED / "network.net", "lava", tmp_path / "out", request=ExportRequest(steps=4))
    x = np.load(RECORDED / "seen.npz")["messages"].astype(np.float32)
    fast, nir = (make_engine(engine, artefact, x).run(slice(None), ("spikes",)) for engine in ("fast", "nir"))
    for name, spikes in nir.spikes.items():
        # the graph's numbers are the chip's; only the decay is not truncated, which decides near ties of whole numbers
        assert (fast.spikes[name] != spikes).mean() < 0.01, name
