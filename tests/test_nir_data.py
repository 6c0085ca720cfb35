"""NIR's data form in and out: held against nir's own classes, checks, conversions and file functions."""

import itertools

import nir
import numpy as np
import pytest

import dalif_deploy as dd
from dalif_deploy.data.nir_data import nir_arrays
from dalif_deploy.data.nir_data_file import write_nir_data
from dalif_deploy.hw_models.errors import UserError
from tests.commands_here import run_here

DT, STEPS, SAMPLES = 1e-4, 7, 5


def graph(rng, shape=(6,)):
    size = int(np.prod(shape))
    flat = {"flatten": nir.Flatten({"input": np.array(shape)}, 0, -1)} if len(shape) > 1 else {}
    tau, none = np.full(4, 4e-4), np.zeros(4)
    nodes = {
        "input": nir.Input({"input": np.array(shape)}),
        **flat,
        "dense": nir.Linear(rng.normal(size=(4, size))),
        "lif": nir.LIF(tau=tau, r=tau / DT, v_leak=none, v_threshold=none + 1, v_reset=none),
        "output": nir.Output({"output": np.array([4])}),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(itertools.pairwise(names)))


@pytest.fixture(scope="module")
def spiking(tmp_path_factory):
    """Spikes into a dense layer; the graph, the exported network, spikes [N, T, 6] as bool."""
    rng = np.random.default_rng(0)
    made = graph(rng)
    out = tmp_path_factory.mktemp("nir_data") / "spiking"
    network = dd.export(made, out=out, chip="loihi2", input_mode="spikes", steps=STEPS, dt=DT)
    return made, network, rng.random((SAMPLES, STEPS, 6)) < 0.4


def of_input(observable, name="input"):
    return nir.NIRGraphData({name: nir.NIRNodeData({"spikes": observable})})


def spikes_of(network, data):
    return dd.simulate(network, data, record=True).recorded.spikes["lif"]


def test_every_form_of_the_same_spikes_gives_the_same_run(spiking, tmp_path):
    _, network, spikes = spiking
    wanted = spikes_of(network, spikes.astype(np.float32))
    assert wanted.any()
    grid = nir.TimeGriddedData(spikes, DT)
    events = [grid.to_event(42, shift) for shift in (0.0, 0.5 * DT)]
    valued = nir.ValuedEventData(events[0].idx, events[0].time, 6, STEPS * DT, np.ones(events[0].idx.shape))
    for observable in (grid, *events, valued):
        np.testing.assert_array_equal(spikes_of(network, of_input(observable)), wanted)
        np.testing.assert_array_equal(spikes_of(network, nir.NIRNodeData({"any": observable})), wanted)
        nir.write_data(tmp_path / "in.h5", of_input(observable))
        np.testing.assert_array_equal(spikes_of(network, tmp_path / "in.h5"), wanted)
    labelled = dd.simulate(network, (of_input(grid), np.zeros(SAMPLES, dtype=int)))
    assert labelled.accuracy is not None


def test_events_fall_into_their_own_step_whatever_floats_make_of_the_time():
    """time = step * dt, divided by dt, may lie an ulp below the step: nir's own conversion then moves the event."""
    steps = 1000
    for dt in (1e-4, 1e-3, 0.1, 1 / 3, 0.7e-3):
        grid = np.eye(steps, dtype=bool)[None]
        events = nir.TimeGriddedData(grid, dt).to_event(steps)
        (back,) = nir_arrays(of_input(events), {"input": (steps,)}, dt).values()
        np.testing.assert_array_equal(back, grid)


def test_events_of_one_step_are_counted_and_values_summed():
    index, time = np.array([[1, 1, 0, -1]]), np.array([[0.0, 0.4, 1.0, np.inf]])
    (counts,) = nir_arrays(of_input(nir.EventData(index, time, 2, 2.0)), {"input": (2,)}, 1.0).values()
    np.testing.assert_array_equal(counts, [[[0, 2], [1, 0]]])
    valued = nir.ValuedEventData(index, time, 2, 2.0, np.array([[0.5, 0.25, 3.0, 9.0]]))
    (sums,) = nir_arrays(of_input(valued), {"input": (2,)}, 1.0).values()
    np.testing.assert_array_equal(sums, [[[0, 0.75], [3, 0]]])


def test_a_recording_passes_nirs_own_check_and_comes_back(spiking, tmp_path, capfd):
    made, network, spikes = spiking
    nir.write_data(tmp_path / "in.h5", of_input(nir.TimeGriddedData(spikes, DT)))
    result = dd.simulate(network, tmp_path / "in.h5", record=True)
    recorded = result.to_nir_data()
    recorded.check_nodes(made)
    assert set(recorded.nodes) == {"lif"}

    out = tmp_path / "out.h5"
    done = run_here(["simulate", network.folder, "--data", tmp_path / "in.h5", "--record", out], capfd)
    assert done.returncode == 0, done.stderr
    read = nir.read_data(out)
    read.check_nodes(made)
    for data in (recorded, read):
        held = data.nodes["lif"].observables
        assert held["spikes"].data.dtype == bool and held["spikes"].dt == held["membrane"].dt == DT
        np.testing.assert_array_equal(held["spikes"].data, result.recorded.spikes["lif"].astype(bool))
        np.testing.assert_array_equal(held["membrane"].data, result.recorded.membrane["lif"])

    # a file of any size is known as ours, which --force may replace
    large = nir.TimeGriddedData(np.random.default_rng(3).random((50, 40, 100)), DT)
    for force in (False, True):
        write_nir_data(tmp_path / "large.h5", of_input(large), force=force)

    # what one network gave is what another takes
    second = graph(np.random.default_rng(1), (4,))
    follower = dd.export(second, out=tmp_path / "second", chip="loihi2", input_mode="spikes", steps=STEPS, dt=DT)
    passed = of_input(read.nodes["lif"].observables["spikes"])
    spikes = result.recorded.spikes["lif"].astype(np.float32)
    np.testing.assert_array_equal(spikes_of(follower, passed), spikes_of(follower, spikes))


def test_energy_counts_over_nir_data(spiking, tmp_path, capfd):
    _, network, spikes = spiking
    wanted = dd.energy_report(network, spikes.astype(np.float32)).to_dict()["energy"]
    assert dd.energy_report(network, of_input(nir.TimeGriddedData(spikes, DT))).to_dict()["energy"] == wanted
    nir.write_data(tmp_path / "in.h5", of_input(nir.TimeGriddedData(spikes, DT)))
    done = run_here(["energy", network.folder, "--data", tmp_path / "in.h5", "--limit", 2], capfd)
    assert done.returncode == 0, done.stderr


def test_several_axes_are_flattened_in_row_major_order_and_constant_input_stays_one(tmp_path):
    rng = np.random.default_rng(2)
    images = rng.random((SAMPLES, 2, 3, 2)).astype(np.float32)
    network = dd.export(
        graph(rng, (2, 3, 2)), out=tmp_path / "o", chip="loihi2", input_mode="bias", steps=STEPS, dt=DT,
    )  # fmt: skip
    wanted = spikes_of(network, images)
    assert wanted.any()
    repeated = np.repeat(images.reshape(SAMPLES, 1, 12), STEPS, axis=1)
    np.testing.assert_array_equal(spikes_of(network, of_input(nir.TimeGriddedData(repeated, DT))), wanted)
    with pytest.raises(UserError, match="the data has 3 steps, the run 7; pass --steps 3"):
        dd.simulate(network, of_input(nir.TimeGriddedData(repeated[:, :3], DT)))
    repeated[0, 2, 3] = 0
    with pytest.raises(UserError, match="changes over time"):
        dd.simulate(network, of_input(nir.TimeGriddedData(repeated, DT)))


def test_what_does_not_fit_is_said_in_one_line(spiking, tmp_path, capfd):
    _, network, spikes = spiking
    grid = nir.TimeGriddedData(spikes, DT)
    index, time = np.array([[0]]), np.array([[DT]])

    def events(**change):
        made = {"idx": index, "time": time, "n_neurons": 6, "t_max": STEPS * DT, **change}
        return of_input(nir.EventData(**made))

    cases = [
        (of_input(nir.TimeGriddedData(spikes, 1e-3)), "time step is 0.001 s, the network's 0.0001 s"),
        (of_input(nir.TimeGriddedData(spikes[:, :, :5], DT)), r"the data has 5 neurons, the input 6 \[6\]"),
        (of_input(nir.TimeGriddedData(spikes[:, :0], DT)), "0 s"),
        (of_input(nir.TimeGriddedData(spikes[:0], DT)), "empty"),
        (
            of_input(nir.TimeGriddedData(np.repeat(spikes, 2, axis=1), DT)),
            "14 steps, but the network was exported for 7",
        ),
        (of_input(nir.TimeGriddedData(np.full(spikes.shape, np.nan), DT)), "NaN"),
        (of_input(nir.TimeGriddedData(spikes.astype(str), DT)), "of type"),
        (of_input(grid, "inptu"), "no data for input 'input', only for inptu"),
        (nir.NIRGraphData({"input": nir.NIRNodeData({"a": grid, "b": grid})}), r"2 observables \(a, b\)"),
        (nir.NIRGraphData({"input": nir.NIRNodeData({})}), r"0 observables \(none\)"),
        (nir.NIRGraphData({"input": of_input(grid)}), "of a graph"),
        (events(idx=np.array([[6]])), "neurons 6 to 6, but there are 6"),
        (events(idx=np.array([[-2]])), "neurons -2 to -2"),
        (events(idx=np.array([[0.0]])), "integer idx"),
        (events(time=np.array([[-DT]])), "outside of 0 s"),
        (events(time=np.array([[1.0]])), "outside of 0 s"),
        (events(time=np.array([[np.nan]])), "outside of 0 s"),
        (events(t_max=np.inf), "inf s"),
        (events(t_max=1e9), "steps, but the network was exported for 7"),
        (events(idx=np.array([[0, 0]]), time=np.array([[0, 0.1 * DT]])), "other than 0 and 1"),
    ]
    for data, message in cases:
        with pytest.raises(UserError, match=message) as caught:
            dd.simulate(network, data)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="simulate with record=True"):
        dd.simulate(network, of_input(grid)).to_nir_data()

    nir.write(tmp_path / "graph.h5", graph(np.random.default_rng(0)))
    nir.write_data(tmp_path / "whole.h5", of_input(grid))
    (tmp_path / "text.h5").write_text("no HDF5")
    content = (tmp_path / "whole.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    for name, message in [
        ("graph.h5", "not a readable file of NIR data"),
        ("text.h5", "not HDF5"),
        ("cut.h5", "NIR data"),
        ("none.h5", "no such file"),
    ]:
        done = run_here(["simulate", network.folder, "--data", tmp_path / name], capfd)
        assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr
    with pytest.raises(UserError, match="together with an exported network"):
        dd.load_data(str(tmp_path / "whole.h5"))
