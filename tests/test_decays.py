"""Decays a layer, a channel or a neuron, learned thresholds, recurrent layers: one slow model, and every way out."""

from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dalif_deploy.converters.capture.source import source_of_module
from dalif_deploy.converters.dalif_to_nir import network_to_nir
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.lava.lava_session import run_lava
from dalif_deploy.converters.nir_file import read_nir, write_nir
from dalif_deploy.data import load_data
from dalif_deploy.hardware_aware import ChipForward, ChipTarget, shared_decays
from dalif_deploy.hw_models.compiler import compile_graph
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.mapping import map_network
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.networks import NetworkSpec, NeuronSpec, build_network
from dalif_deploy.networks.checkpoint import load_checkpoint, save_checkpoint
from dalif_deploy.neuron import DALIF
from dalif_deploy.simulation.session import SimulationRequest, simulate_samples
from dalif_deploy.training import TrainConfig, train
from tests import scalar_chip

STEPS, SHAPE = 6, (2, 5, 4)
ACTIVATE = {"tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "clamp": lambda x: np.clip(x, 0, 1)}
KINDS = [
    (per, recurrent, learn, arch)
    for per, recurrent, learn, arch in product(
        ("layer", "channel", "neuron"), (False, True), ("both", "tied", "none"), ("cnn", "mlp")
    )
]


def network_of(per, recurrent, learn, arch, seed=0):
    """Random in all that a kind leaves open."""
    rng = np.random.default_rng([seed, KINDS.index((per, recurrent, learn, arch))])
    torch.manual_seed(int(rng.integers(1 << 30)))
    blocks = {"channels": [3, 4], "strides": [1, 2]} if arch == "cnn" else {"channels": [9, 7]}
    start = {"alpha_init": (0.4, 0.95), "beta_init": (0.05, 0.95)} if per != "layer" else {"beta_init": 0.8}
    neuron = NeuronSpec(
        decays_per=per, learn=learn, learn_threshold=bool(rng.integers(2)), v_threshold=0.3,
        reset=str(rng.choice(["zero", "subtract"])), activation=str(rng.choice(list(ACTIVATE))), **start,
    )  # fmt: skip
    network = build_network(
        NetworkSpec(
            arch=arch, input_shape=SHAPE, classes=3, steps=STEPS, recurrent=recurrent,
            batch_norm=bool(rng.integers(2)), neuron=neuron, **blocks,
        )
    )  # fmt: skip
    with torch.no_grad():
        for layer in network.spiking_layers.values():
            # alpha = 1 - beta lets little in
            gain = 6.0 if learn == "tied" else 2.0
            for module in layer.branches:
                (module.linear if module.norm is None else module.norm).weight.mul_(gain)
            if layer.neuron.tau_v is not None:
                layer.neuron.tau_v.add_(0.3 * torch.randn_like(layer.neuron.tau_v))
    network.train()(images(rng, 8))  # batch norm sees data
    return network.eval(), rng


def images(rng, count):
    return torch.from_numpy(rng.integers(0, 17, (STEPS, count, *SHAPE)) / 16).float()


def slow(network, x):
    """Spikes [T, N, ...] and membranes before the spike of each layer, from the paper's equations in float64."""
    spec, values = network.spec, {k: v.double() for k, v in network.state_dict().items()}
    source, found = x.double(), {}
    for name in network.layers:

        def of(key, name=name):
            return values.get(f"layers.{name}.{key}")

        def decay(letter, of=of):
            free, fixed = of(f"neuron.tau_{letter[0]}"), of(f"neuron.fixed_{letter}")
            return fixed.numpy() if free is None else ACTIVATE[spec.neuron.activation](free.numpy())

        beta = decay("beta")
        alpha = 1 - beta if spec.neuron.learn == "tied" else decay("alpha")
        learned = of("neuron.tau_v")
        threshold = spec.neuron.v_threshold if learned is None else np.exp(learned.numpy())
        w, b = of("branches.0.linear.weight"), of("branches.0.linear.bias")
        stride = 1 if spec.strides is None else spec.strides[list(network.layers).index(name)]
        h, fired, charged = 0.0, [], []
        for t in range(len(x)):
            now = F.conv2d(source[t], w, b, stride, 1) if w.ndim == 4 else source[t].flatten(1) @ w.T
            if w.ndim == 2 and b is not None:
                now = now + b
            if spec.batch_norm:
                mean, var, scale, shift = (
                    of(f"branches.0.norm.{key}").reshape(1, -1, *[1] * (now.ndim - 2))
                    for key in ("running_mean", "running_var", "weight", "bias")
                )
                now = (now - mean) / torch.sqrt(var + 1e-5) * scale + shift
            if spec.recurrent and t:
                r, last = of("recurrent.weight"), torch.from_numpy(fired[-1])
                now = now + (F.conv2d(last, r, None, 1, 1) if r.ndim == 4 else last @ r.T)
            v = beta * h + alpha * now.numpy()
            s = (v >= threshold).astype(float)
            h = v * (1 - s) if spec.neuron.reset == "zero" else v - threshold * s
            fired.append(s)
            charged.append(v / threshold)
        found[name] = np.stack(fired), np.stack(charged)
        source = torch.from_numpy(found[name][0])
    return found


@pytest.mark.parametrize(("per", "recurrent", "learn", "arch"), KINDS)
@torch.no_grad()
def test_the_network_its_graph_and_the_chip_agree_with_the_equations(per, recurrent, learn, arch, tmp_path):
    network, rng = network_of(per, recurrent, learn, arch)
    x = images(rng, 3)
    wanted = slow(network, x)
    double = network.double()
    logits, records = double.forward_recorded(x.double())
    write_nir(tmp_path / "n.nir", network_to_nir(double))
    graph = read_nir(tmp_path / "n.nir")
    reference = run_reference(graph, x.double().transpose(0, 1).numpy(), dt=1e-4, steps=STEPS)
    np.testing.assert_allclose(reference.outputs["output"].mean(axis=1), logits, rtol=1e-6, atol=1e-9)
    for name, (fired, charged) in wanted.items():
        assert np.abs(charged - 1).min() > 1e-9  # no tie that rounding could decide
        np.testing.assert_array_equal(records[name]["spikes"], fired)
        np.testing.assert_array_equal(reference.spikes[name], fired.swapaxes(0, 1))
    assert 0.02 < np.mean([fired.mean() for fired, _ in wanted.values()]) < 0.9
    forward = ChipForward(network.float(), ChipTarget("loihi2", "graded", 1 / 16)).eval()
    _, chip_fired = forward.forward_recorded(x)
    compiled = forward.compiled()
    encoded = encode_input(compiled, x.transpose(0, 1).numpy())
    run = simulate(compiled, encoded)
    by_hand, _ = scalar_chip.run(compiled, encoded)
    for name, spikes in chip_fired.items():
        np.testing.assert_array_equal(run.spikes[name], by_hand[name])
        np.testing.assert_array_equal(run.spikes[name], spikes.transpose(0, 1))
        assert np.mean(run.spikes[name].swapaxes(0, 1) == wanted[name][0]) > 0.9  # 8 bits


@pytest.mark.parametrize("arch", ["cnn", "mlp"])
@torch.no_grad()
def test_lava_computes_the_same_bits(lava, arch):
    network, rng = network_of("neuron", True, "both", arch, seed=1)
    forward = ChipForward(network, ChipTarget("loihi2", "graded", 1 / 16)).eval()
    x = images(rng, 2)
    forward.forward_recorded(x)
    encoded = encode_input(forward.compiled(), x.transpose(0, 1).numpy())
    ours = simulate(forward.compiled(), encoded)
    theirs = run_lava(forward.compiled(), encoded, step_limit_seconds=60)
    for name in network.layers:
        np.testing.assert_array_equal(ours.spikes[name], theirs.spikes[name])
        assert ours.spikes[name].any()


def plain(neuron, x):
    """The same neuron as autograd sees it, step by step."""
    state, spikes = None, []
    for now in x:
        s, state = neuron.step(now, state)
        spikes.append(s)
    return torch.stack(spikes)


@pytest.mark.parametrize(
    ("per", "channels_last", "engine"),
    [
        ("channel", False, "eager"),
        ("channel", True, "eager"),
        ("neuron", True, "eager"),
        pytest.param("channel", False, "compile", marks=pytest.mark.slow),
        pytest.param("neuron", True, "compile", marks=pytest.mark.slow),
    ],
)
def test_gradients_are_those_of_the_steps(per, channels_last, engine):
    torch.manual_seed(0)
    shape = (3, 4, 5)
    grads = []
    x = torch.randn(7, 6, *shape, dtype=torch.float64)
    if channels_last:
        x = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (7, 6))
    for run in (plain, DALIF.__call__):
        neuron = DALIF(decays_per=per, shape=shape, learn_threshold=True, alpha_init=(0.5, 0.9),
                       beta_init=(0.1, 0.9), engine=engine).double()  # fmt: skip
        given = x.clone(memory_format=torch.preserve_format).requires_grad_()
        spikes = run(neuron, given)
        (spikes * torch.linspace(0, 1, spikes.numel(), dtype=torch.float64).reshape(spikes.shape)).sum().backward()
        grads.append([spikes, given.grad, neuron.tau_a.grad, neuron.tau_b.grad, neuron.tau_v.grad])
        assert neuron.tau_b.grad.shape == ((3, 1, 1) if per == "channel" else shape)
    for ours, wanted in zip(*grads, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-9, atol=1e-12)


def test_a_threshold_learns_what_a_finite_difference_says():
    """With a surrogate as wide as the membranes are spread, the gradient points where more spikes come."""
    torch.manual_seed(0)
    neuron = DALIF(learn_threshold=True, learn="none")
    spikes = neuron(torch.rand(20, 500))
    spikes.mean().backward()
    with torch.no_grad():
        neuron.tau_v.add_(0.1)
    assert neuron.tau_v.grad < 0 and neuron(torch.rand(20, 500)).mean() < spikes.mean()


def test_a_spread_start_covers_its_range_in_every_channel():
    neuron = DALIF(decays_per="neuron", shape=(4, 8, 8), beta_init=(0.1, 0.9))
    beta = neuron.beta.detach()
    for part in (beta, beta[0], beta[3]):
        assert part.min() < 0.13 and part.max() > 0.87 and abs(part.mean() - 0.5) < 0.02
    state = torch.get_rng_state()
    DALIF(decays_per="neuron", shape=(4, 8, 8), beta_init=(0.1, 0.9))
    assert torch.equal(state, torch.get_rng_state())  # nothing drawn: weights start as without it


@pytest.mark.parametrize(
    "options",
    [{"beta_init": (0.1, 0.9)}, {"decays_per": "pixel"}, {"decays_per": "neuron", "beta_init": (0.1, 1.5)}],
)
def test_what_no_neuron_has_is_refused(options):
    with pytest.raises(ValueError, match=r"range|decays_per|reach"):
        NeuronSpec(**options)


def test_decays_stay_where_a_chip_holds_them():
    neuron = DALIF(decays_per="neuron", shape=(2, 3, 3))
    with torch.no_grad():
        neuron.tau_a.fill_(-3.0)
        neuron.tau_b.copy_(torch.linspace(-9, 9, 18).reshape(2, 3, 3))
    neuron.keep_beta_a_decay()
    assert neuron.alpha.min() >= 1 / 64 - 1e-6 and neuron.beta.min() >= 0 and neuron.beta.max() <= 1 - 2**-12 + 1e-7


@torch.no_grad()
def test_an_alpha_that_no_shared_weight_can_carry_is_refused_by_layer():
    network, _ = network_of("neuron", False, "both", "cnn")
    network.layers["block2"].neuron.tau_a.view(-1)[3] = 0.0 if network.spec.neuron.activation != "sigmoid" else -200.0
    if network.spec.neuron.activation == "sigmoid":
        pytest.skip("a sigmoid is above 0")
    with pytest.raises(UserError, match="must be above 0") as refusal:
        network_to_nir(network)
    assert refusal.value.where == "block2"


@pytest.mark.parametrize(("per", "learn"), [("channel", "both"), ("neuron", "tied"), ("neuron", "none")])
def test_a_checkpoint_comes_back(per, learn, tmp_path):
    network, rng = network_of(per, True, learn, "cnn")
    save_checkpoint(tmp_path / "m.pt", network, {})
    loaded = load_checkpoint(tmp_path / "m.pt").network
    x = images(rng, 2)
    assert torch.equal(loaded(x), network(x)) and loaded.spec == network.spec


def test_a_checkpoint_of_before_loads(tmp_path):
    """Its description knows nothing of what came later."""
    network = build_network(NetworkSpec(input_shape=SHAPE, classes=3, channels=[3], strides=[1]))
    save_checkpoint(tmp_path / "new.pt", network, {})
    content = torch.load(tmp_path / "new.pt", weights_only=True)
    for later in ("batch_norm", "recurrent"):
        del content["spec"][later]
    for later in ("decays_per", "learn_threshold"):
        del content["spec"]["neuron"][later]
    assert set(content["state"]) == {
        "layers.block1.branches.0.linear.weight", "layers.block1.neuron.tau_a", "layers.block1.neuron.tau_b",
        "readout.weight", "readout.bias",
        *(f"layers.block1.branches.0.norm.{key}"
          for key in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")),
    }  # fmt: skip
    torch.save(content, tmp_path / "old.pt")
    x = torch.rand(2, *SHAPE)
    assert torch.equal(load_checkpoint(tmp_path / "old.pt").network(x), network.eval()(x))


@pytest.mark.parametrize("learn", ["both", "none"])
def test_decays_are_shared_as_a_core_has_profiles(learn):
    torch.manual_seed(0)
    spec = NetworkSpec(
        arch="mlp", input_shape=(1, 1, 8), classes=3, channels=[80], steps=4,
        neuron=NeuronSpec(decays_per="neuron", beta_init=(0.05, 0.95), learn=learn),
    )  # fmt: skip
    network = build_network(spec)
    network.train()(torch.rand(16, 1, 1, 8))
    forward = ChipForward(network, ChipTarget("loihi1", "bias", 1 / 16)).train()
    before = network.layers["block1"].neuron.beta.detach().clone()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(3):
        shared = forward.shared_decays()
        forward(torch.randint(0, 17, (16, 1, 1, 8)) / 16).square().sum().backward()
        optimizer.step()
        for each in shared:
            each.bring_together()
    after = network.layers["block1"].neuron.beta.detach()
    assert 16 < len(after.unique()) <= 32 and (after - before).abs().max() < 0.1
    assert len(np.unique(forward.compiled().populations["block1"].dv)) <= 32
    again = shared_decays(network, 32)  # groups are read off the values
    assert torch.equal(again[0].values, network.layers["block1"].neuron.beta if learn == "none" else
                       network.layers["block1"].neuron.tau_b)  # fmt: skip
    assert ChipForward(network, ChipTarget("loihi2", "graded")).shared_decays() == []


def test_the_members_of_a_group_learn_as_one():
    """Two groups, gradients known: each takes the mean of its members' steps."""
    spec = NetworkSpec(
        arch="mlp", input_shape=(1, 1, 4), classes=2, channels=[4], neuron=NeuronSpec(decays_per="neuron")
    )
    network = build_network(spec)
    free = network.layers["block1"].neuron.tau_b
    with torch.no_grad():
        free.copy_(torch.tensor([0.1, 0.2, 0.8, 0.9]))
    (groups,) = shared_decays(network, 2)
    torch.testing.assert_close(free.detach(), torch.tensor([0.15, 0.15, 0.85, 0.85]), atol=1e-6, rtol=0)
    with torch.no_grad():
        free.add_(torch.tensor([0.1, 0.3, 0.0, -0.2]))
    groups.bring_together()
    torch.testing.assert_close(free.detach(), torch.tensor([0.35, 0.35, 0.75, 0.75]), atol=1e-6, rtol=0)


@torch.no_grad()
def test_a_neuron_s_alpha_in_an_image_is_its_threshold_and_keeps_the_kernel():
    network, _ = network_of("neuron", False, "both", "cnn")
    compiled = compile_graph(network_to_nir(network), chip="loihi2", steps=STEPS, dt=1e-4, input_mode="graded").network
    for p in compiled.projections.values():
        assert p.geometry is not None or p.target == "readout"
    layer = compiled.populations["block1"]
    gain = network.layers["block1"].neuron.gain.numpy()
    ratio = layer.vth * gain
    assert layer.vth.shape == gain.shape and ratio.max() / ratio.min() == pytest.approx(1, abs=0.01)


class Own(torch.nn.Module):
    """Our neuron in a module of somebody's own."""

    def __init__(self, per):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 3, padding=1)
        self.neuron = DALIF(
            decays_per=per,
            shape=(3, 5, 4),
            learn_threshold=True,
            v_threshold=0.3,
            alpha_init=(0.3, 0.9),
            beta_init=(0, 0.9),
        )

    def forward(self, x):
        return self.neuron(self.conv(x.flatten(0, 1)).unflatten(0, x.shape[:2])).sum(0)


@pytest.mark.parametrize("per", ["channel", "neuron"])
@torch.no_grad()
def test_a_module_of_one_s_own_with_such_neurons_is_captured(per):
    torch.manual_seed(2)
    model, x = Own(per).eval(), torch.rand(STEPS, 8, *SHAPE)
    source = source_of_module(model, x, time_axis=0)
    assert source.verification.layers[0].spikes > 50
    reference = run_reference(source.graph, x.transpose(0, 1).double().numpy(), dt=source.dt, steps=STEPS)
    (spikes,) = reference.spikes.values()
    assert np.mean(spikes.sum(1).reshape(8, -1) == model(x).flatten(1).numpy()) > 0.99


@pytest.mark.slow
def test_what_is_trained_with_shared_decays_is_what_is_exported(tmp_path):
    config = TrainConfig(
        dataset="digits", channels=[4, 6], strides=[2, 2], epochs=4, batch_size=64, lr=1e-2, quantize="loihi1",
        quantize_epochs=2, neuron=NeuronSpec(decays_per="neuron", beta_init=(0.05, 0.95)),
    )  # fmt: skip
    metrics = train(config, tmp_path / "run")
    lowest, middle, highest = metrics["epochs"][-1]["beta"][0]
    assert 0 <= lowest < middle < highest < 1
    artefact = export_network(tmp_path / "run" / "model.pt", "lava", tmp_path / "chip")
    test = load_data("digits:test")
    run = simulate(artefact.network, encode_input(artefact.network, test.inputs))
    (output,) = run.outputs.values()
    assert np.mean(output.argmax(1) == test.labels) == metrics["test_accuracy"] > 0.5
    cores = map_network(artefact.network).cores
    assert max(core.use.decay_profiles_per_core for core in cores) <= 32 and len(cores) == 3


@pytest.mark.parametrize(
    ("per", "recurrent", "words"), [("neuron", False, "decays-per layer"), ("layer", True, "chain")]
)
def test_what_a_net_file_can_t_say_is_said(per, recurrent, words, tmp_path):
    network, _ = network_of(per, recurrent, "both", "mlp")
    network.spec.neuron.reset = "zero"
    for layer in network.spiking_layers.values():
        layer.neuron.reset = "zero"
    save_checkpoint(tmp_path / "m.pt", network, {"input_step": 1 / 16})
    with pytest.raises(UserError, match=words) as refusal:
        export_network(tmp_path / "m.pt", "netx", tmp_path / "out")
    assert refusal.value.where == "block1"


@pytest.mark.parametrize("per", ["layer", "channel", "neuron"])
def test_step_by_step_the_chip_s_gradient_is_that_of_the_sequence(per):
    """A loop whose weights are 0 changes nothing, but it is stepped."""
    network, rng = network_of(per, True, "both", "cnn", seed=2)
    with torch.no_grad():
        for layer in network.spiking_layers.values():
            layer.recurrent.weight.zero_()
    x = images(rng, 4)
    found = []
    for loop in (True, False):
        network.zero_grad()
        if not loop:
            network.spec.recurrent = False
            for layer in network.spiking_layers.values():
                layer.recurrent = None
        forward = ChipForward(network, ChipTarget("loihi2", "graded", 1 / 16)).eval()
        logits = forward(x)
        logits.square().sum().backward()
        shared = {n: p.grad.clone() for n, p in network.named_parameters() if "recurrent" not in n}
        found.append((logits.detach(), shared))
    torch.testing.assert_close(found[0][0], found[1][0])
    for name, grad in found[1][1].items():
        torch.testing.assert_close(found[0][1][name], grad, rtol=1e-4, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
        assert grad.any()


@pytest.mark.parametrize("recurrent", [False, True])
def test_the_chip_s_gradient_is_nearly_the_float_network_s(recurrent):
    """At 8 bits the membranes are nearly the same; those that count in gains are brought back to the neuron's units."""
    network, rng = network_of("neuron", recurrent, "both", "cnn", seed=4)
    x, found = images(rng, 16), []
    for run in (network, ChipForward(network, ChipTarget("loihi2", "graded", 1 / 16)).eval()):
        network.zero_grad()
        (run(x) * torch.tensor([1.0, -2.0, 0.5])).sum().backward()
        found.append(torch.cat([p.grad.flatten() for n, p in network.named_parameters() if "layers" in n]))
    assert torch.nn.functional.cosine_similarity(*found, dim=0) > 0.99
    assert found[0].norm().item() == pytest.approx(found[1].norm().item(), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["cnn", "mlp"])
def test_every_engine_computes_the_same(lava, arch, tmp_path):
    network, rng = network_of("neuron", True, "both", arch, seed=1)
    save_checkpoint(tmp_path / "m.pt", network, {"input_step": 1 / 16})
    artefact = export_network(tmp_path / "m.pt", "lava", tmp_path / "out")
    found = simulate_samples(artefact, images(rng, 4).transpose(0, 1).numpy(), None, SimulationRequest(check="all"))
    rows = found.to_dict()["engines"]
    assert {"torch", "nir", "norse", "fast", "lava"} <= set(rows)
    for name, row in rows.items():
        assert sum(row["mismatches"].values()) == 0, name
    assert found.to_dict()["bit_exact"] is True
    chip = export_network(tmp_path / "m.pt", "onnx", tmp_path / "onnx")
    x = images(rng, 4).transpose(0, 1).numpy()
    found = simulate_samples(chip, x, None, SimulationRequest("onnx", "counterpart")).check
    assert sum(found.mismatches.values()) == 0 < sum(found.compared.values())
