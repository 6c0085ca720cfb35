"""The engines that run a sequence, against autograd through plain steps."""

import os
import subprocess
import sys
from itertools import product

import pytest
import torch

from dalif_deploy.neuron import DALIF, eager

SURROGATES, RESETS = ["atan", "sigmoid", "triangle", "rectangle"], ["zero", "subtract"]
LEARN, ACTIVATIONS = ["both", "spatial", "temporal", "none"], ["tanh", "sigmoid", "clamp"]


def results(neuron, x, weight, engine):
    """Spikes and all gradients; engine "steps" is autograd through `step`."""
    x = x.clone().requires_grad_()
    neuron.zero_grad()
    if engine == "steps":
        spikes, state = [], None
        for x_t in x:
            s, state = neuron.step(x_t, state)
            spikes.append(s)
        spikes = torch.stack(spikes)
    else:
        neuron.engine = engine
        spikes = neuron(x)
    (spikes * weight).sum().backward()
    return spikes.detach(), x.grad, {name: p.grad for name, p in neuron.named_parameters()}


def assert_same(neuron, x, weight, engine):
    spikes, grad, learned = results(neuron, x, weight, engine)
    true_spikes, true_grad, true_learned = results(neuron, x, weight, "steps")
    assert torch.equal(spikes, true_spikes) and 0 < spikes.mean() < 1
    # compiled, the surrogate's sigmoid is another one than torch's, by a few units in the last place
    torch.testing.assert_close(grad, true_grad, rtol=1e-6 if engine == "eager" else 1e-5, atol=1e-6)
    assert learned.keys() == true_learned.keys()
    for name, value in learned.items():
        assert (value is None) == (true_learned[name] is None), name
        if value is not None:
            torch.testing.assert_close(
                value, true_learned[name], rtol=1e-4 if x.dtype == torch.float32 else 1e-9, atol=1e-5
            )
            assert value.abs() > 1e-3


def sample(shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(5)
    x, weight = (torch.rand(shape, generator=generator, dtype=dtype) for _ in range(2))
    return 2 * x, weight + 0.1


@pytest.mark.parametrize(
    ("activation", "learn", "reset", "surrogate"), list(product(ACTIVATIONS, LEARN, RESETS, SURROGATES))
)
def test_every_combination_has_the_gradients_of_plain_steps(activation, learn, reset, surrogate, monkeypatch):
    monkeypatch.setattr(eager, "BLOCK", 5)  # blocks that do not divide the neurons
    options = {"activation": activation, "learn": learn, "reset": reset, "surrogate": surrogate}
    for dtype, width, steps in ((torch.float64, 1.0, 6), (torch.float32, 1.7, 3), (torch.float32, 1.0, 1)):
        neuron = DALIF(alpha_init=0.7, beta_init=0.6, v_threshold=0.9, width=width, **options).to(dtype)
        assert_same(neuron, *sample((steps, 3, 4), dtype), "eager")


COMPILED = [
    ("atan", "zero", 1.0),
    ("sigmoid", "subtract", 1.0),
    ("triangle", "zero", 0.6),
    ("rectangle", "subtract", 2.0),
]


@pytest.mark.parametrize(("surrogate", "reset", "width"), COMPILED)
def test_compiled_the_results_are_the_same(surrogate, reset, width, recwarn):
    neuron = DALIF(alpha_init=0.7, beta_init=0.6, surrogate=surrogate, reset=reset, width=width)
    for shape in ((4, 3, 700), (4, 5, 8, 9, 10)):
        assert_same(neuron, *sample(shape), "compile")
    assert not [w for w in recwarn if "torch.compile does not work" in str(w.message)]


@pytest.mark.parametrize("engine", ["eager", "compile"])
def test_memory_layout_changes_nothing(engine):
    neuron = DALIF(alpha_init=0.8)
    x, weight = sample((4, 2, 3, 5, 6))
    expanded = x[:1].expand(4, -1, -1, -1, -1)
    channels_last = x.flatten(0, 1).to(memory_format=torch.channels_last).unflatten(0, (4, 2))
    strided = x.transpose(0, 1).contiguous().transpose(0, 1)[..., ::2]
    for same, copy in ((expanded, expanded.clone()), (channels_last, x), (strided, strided.contiguous())):
        assert same.stride() != copy.stride()
        spikes, grads = [], []
        for given in (same, copy):
            leaf = given.detach().clone() if given is copy else given.detach()
            leaf.requires_grad_()
            neuron.engine = engine
            fired = neuron(leaf)
            grads.append(torch.autograd.grad((fired * weight[..., : leaf.shape[-1]]).sum(), leaf)[0])
            spikes.append(fired)
        assert torch.equal(*spikes) and torch.equal(*grads)
    assert neuron(channels_last)[0].is_contiguous(memory_format=torch.channels_last)


def test_a_gradient_that_is_the_same_at_each_step_is_not_read_as_a_copy():
    """The mean over time hands back a gradient expanded over T."""
    x, _ = sample((4, 3, 5))
    neuron = DALIF()
    assert torch.equal(*(
        torch.autograd.grad(f(neuron(leaf)), leaf)[0]
        for leaf, f in ((x.clone().requires_grad_(), lambda s: s.mean(0).sum()),
                        (x.clone().requires_grad_(), lambda s: (s * torch.full_like(s, 0.25)).sum()))
    ))  # fmt: skip


def test_only_the_input_is_kept_for_the_backward_pass():
    """4 bytes a neuron and step; nothing but one step's input where all steps share it."""
    neuron, x = DALIF(), torch.rand(4, 1000, requires_grad=True)
    for given, kept in ((x * 1.0, 16_000), ((x[0] * 1.0).expand(4, -1), 4_000)):
        storages = {}

        def pack(t, storages=storages):
            storages[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
            return t

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            neuron(given)
        assert kept <= sum(storages.values()) <= kept + 64  # the rest: alpha, beta and their free parameters


def test_small_inputs_are_not_compiled_and_large_ones_are(monkeypatch):
    asked = []
    import dalif_deploy.neuron.sequence as module

    monkeypatch.setattr(module, "COMPILE_FROM", 100)
    monkeypatch.setattr(
        module,
        "compiled",
        lambda steps, rule, still: asked.append(steps) or (eager.fire_rows, eager.gradient_rows),
    )
    neuron = DALIF()
    neuron(torch.rand(3, 33))
    assert not asked
    neuron(torch.rand(3, 34))
    assert asked == [3]
    DALIF(engine="eager")(torch.rand(3, 34))
    assert asked == [3]


def test_without_a_compiler_one_warning_and_the_same_results(tmp_path):
    script = """
import warnings, torch
from dalif_deploy.neuron import DALIF
x = torch.rand(3, 50, requires_grad=True)
neuron = DALIF(engine="compile")
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    for _ in range(2):
        spikes = neuron(x)
        spikes.sum().backward()
    DALIF(engine="compile", reset="subtract")(x)
ours = [str(w.message) for w in seen if "torch.compile does not work" in str(w.message)]
assert len(ours) == 1 and "slower" in ours[0] and chr(10) not in ours[0], ours
assert torch.equal(spikes, neuron(x, []))
"""
    environment = {**os.environ, "CXX": str(tmp_path / "none"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=120)


@pytest.mark.parametrize(
    ("engine", "reset", "per"),
    [("eager", "zero", "layer"), ("eager", "subtract", "neuron"), ("compile", "zero", "neuron")],
)
def test_a_still_input_is_the_sequence_that_repeats_it(engine, reset, per, monkeypatch):
    monkeypatch.setattr(eager, "BLOCK", 60)  # blocks that do not divide the neurons
    neuron = DALIF(reset=reset, decays_per=per, shape=(3, 5, 6), alpha_init=0.7, engine=engine)
    x, weight = sample((4, 2, 3, 5, 6))
    for still in (x[0], x[0].transpose(0, 1).contiguous().transpose(0, 1)):
        found = []
        for make in (lambda leaf: neuron(leaf, steps=4), lambda leaf: neuron(leaf.expand(4, -1, -1, -1, -1))):
            leaf = still.detach().requires_grad_()
            spikes = make(leaf)
            found.append((spikes, *torch.autograd.grad((spikes * weight).sum(), (leaf, neuron.tau_a, neuron.tau_b))))
        assert torch.equal(found[0][0], found[1][0]) and 0 < found[0][0].mean() < 1
        torch.testing.assert_close(found[0][1:], found[1][1:], rtol=1e-4, atol=1e-5)
    one, other = [], []
    assert torch.equal(neuron(x[0], one, 4), neuron(x[:1].expand(4, -1, -1, -1, -1), other))
    assert len(one) == 4 and all(map(torch.equal, one, other))


@pytest.mark.parametrize("still", [False, True])
def test_a_network_compiled_as_a_whole_has_the_gradients_of_plain_steps(still):
    """And keeps nothing of the steps but their input."""
    neuron, (x, weight) = DALIF(alpha_init=0.7, beta_init=0.6), sample((4, 3, 700))
    leaf = (x[0] if still else x).clone().requires_grad_()
    learned, kept = (leaf, neuron.tau_a, neuron.tau_b), {}

    def pack(t):
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        spikes = torch.compile(neuron, fullgraph=True)(leaf, steps=4 if still else None)
    found = torch.autograd.grad((spikes * weight).sum(), learned)
    wanted, state = [], None
    for x_t in leaf.expand(4, -1, -1) if still else leaf:
        s, state = neuron.step(x_t, state)
        wanted.append(s)
    assert torch.equal(spikes, torch.stack(wanted)) and 0 < spikes.mean() < 1
    torch.testing.assert_close(
        found, torch.autograd.grad((torch.stack(wanted) * weight).sum(), learned), rtol=1e-4, atol=1e-5
    )
    assert sum(kept.values()) <= 4 * leaf.numel() + 256


def test_a_network_compiled_or_traced_as_a_whole_gives_the_same_spikes():
    neuron, (x, _) = DALIF(), sample((3, 4, 20))
    expected = neuron(x)
    assert torch.equal(torch.compile(neuron, fullgraph=True)(x), expected)
    assert torch.equal(torch.export.export(neuron, (x,)).module()(x), expected)
