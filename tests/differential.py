"""Many random networks at once through Lava, the batched simulator and, where small, the slow chip; all must agree.

Starting Lava takes seconds, so a list of networks becomes one ChipNetwork of unconnected parts in one Lava session,
with Lava's processes as threads.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import time
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st

from dalif_deploy.converters.lava.checks import check_input, check_network
from dalif_deploy.converters.lava.lava_session import run_lava
from dalif_deploy.hw_models.arithmetic.lava.exactness import population_bounds
from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.recording import EncodedInput, Recording
from dalif_deploy.hw_models.simulator import simulate
from tests import scalar_chip
from tests.fuzz_case import Case, Refused
from tests.random_chip_networks import chip_cases
from tests.random_graphs import graph_cases

PARTS = 40  # networks of one Lava session
SCALAR_NEURON_STEPS = 400  # the slow chip takes about 30 us for each
SCALAR_SYNAPSES = 2000
MEMBRANE_LIMIT = (1 << 23) - 1
UNKNOWN = object()
FIELDS = ("spikes", "membrane", "outputs")


class Mismatch(AssertionError):  # noqa: N818 - it names an outcome, not a fault
    """Two engines differ, or one of them failed."""

    def __init__(self, text: str, case: Case):
        super().__init__(f"{text}\n{case!r}")
        self.case = case


@dataclass
class Tally:
    """What the fuzzer has done so far."""

    ran: int = 0
    fired: int = 0
    slow_chip: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    features: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    seconds: float = 0.0
    known: dict[bytes, object] = field(default_factory=dict)

    def __str__(self) -> str:
        refused = sum(self.refused.values())
        share = refused / max(1, refused + self.ran)
        return (
            f"{self.ran} networks ({self.fired} fired, {self.slow_chip} also on the slow chip) in {self.sessions} Lava "
            f"sessions, {refused} refused ({share:.1%}), {self.seconds:.0f} s"
        )


@st.composite
def sessions(draw, parts: int = PARTS) -> list[Case | Refused]:
    """Networks that have steps and samples in common. Each can shrink away by itself."""
    steps, samples = draw(st.integers(1, 7)), draw(st.integers(1, 3))
    found = []
    for _ in range(parts):
        kind = draw(st.sampled_from(["none", *["graph"] * 12, *["chip"] * 7]))
        if kind == "graph":
            found.append(draw(graph_cases(steps, samples)).compiled())
        elif kind == "chip":
            found.append(draw(chip_cases(steps, samples)))
    return found


def fuzz(tally: Tally, examples: int, seed: int | None = None) -> None:
    """Draws and checks `examples` sessions; the same ones each time where no seed is given.

    Raises:
        Mismatch: the smallest that hypothesis found.
    """

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=seed is None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(sessions())
    def run(cases: list[Case | Refused]) -> None:
        check(cases, tally)

    (run if seed is None else with_seed(seed)(run))()


def check(drawn: list[Case | Refused], tally: Tally) -> None:
    """Runs all networks in each engine.

    Raises:
        Mismatch: naming the first difference.
    """
    start = time.monotonic()
    cases = []
    for case in drawn:
        reason = case.reason if isinstance(case, Refused) else _refused_by_lava(case)
        if reason is None:
            cases.append(case)
            tally.known.setdefault(digest(case), UNKNOWN)
        else:
            tally.refused[re.sub(r"[-+]?\d[\d.e+-]*", "#", reason.partition(": ")[2] or reason)] += 1
    # when hypothesis shrinks a list, most networks are the same as before
    if unknown := [case for case in cases if tally.known[digest(case)] is UNKNOWN]:
        _run(unknown, tally)
    tally.seconds += time.monotonic() - start
    for mismatch in (tally.known[digest(case)] for case in cases):
        if isinstance(mismatch, Mismatch):
            raise mismatch


def digest(case: Case) -> bytes:
    """Equal for equal networks with equal input."""
    return hashlib.sha256(pickle.dumps((case.network, case.encoded))).digest()


def _refused_by_lava(case: Case) -> str | None:
    try:
        check_network(case.network)
        check_input(case.network, case.encoded)
    except UserError as error:
        if case.compiled:
            raise Mismatch(f"the compiler gave what Lava cannot run: {error}", case) from error
        return str(error)
    return None


def _run(cases: list[Case], tally: Tally) -> None:
    recordings = []
    for case in cases:
        try:
            recordings.append(simulate(case.network, case.encoded))
        except Exception as error:
            tally.known[digest(case)] = Mismatch(f"the simulator failed: {error!r}", case)
            return
    try:
        everything = run_lava(*merged(cases), threads=True)
    except UserError as error:
        at = re.match(r"(\d+)/", error.where or "")
        case = cases[int(at[1]) if at else 0]
        tally.known[digest(case)] = Mismatch(f"{error} {error.__cause__}", case)
        return
    tally.sessions += 1
    for index, (case, ours) in enumerate(zip(cases, recordings, strict=True)):
        tally.known[digest(case)] = None
        try:
            compare(case, ours, part(everything, f"{index}/"))
            tally.slow_chip += compare_with_slow_chip(case, ours)
        except Mismatch as mismatch:
            tally.known[digest(case)] = mismatch
            continue
        tally.ran += 1
        if any(spikes.any() for spikes in ours.spikes.values()):
            tally.fired += 1
            tally.features.update(case.features | _seen(case, ours))


def merged(cases: list[Case]) -> tuple[ChipNetwork, EncodedInput]:
    """One network of unconnected parts, whose names begin with "<index>/"."""
    first = cases[0].encoded
    network = ChipNetwork(cases[0].network.chip, first.steps, {}, {}, {}, {}, {})
    encoded = EncodedInput(first.steps, first.samples)
    for index, case in enumerate(cases):
        at = f"{index}/"
        for kind in ("inputs", "populations", "projections", "outputs"):
            for name, each in getattr(case.network, kind).items():
                ends = {k: at + getattr(each, k) for k in ("source", "target", "population") if _names(each, k)}
                getattr(network, kind)[at + name] = replace(each, name=at + name, **ends)
        encoded.messages |= {at + name: array for name, array in case.encoded.messages.items()}
        encoded.bias |= {at + name: pair for name, pair in case.encoded.bias.items()}
    return network, encoded


def _names(item: object, attribute: str) -> bool:
    return isinstance(getattr(item, attribute, None), str)


def part(recording: Recording, prefix: str) -> Recording:
    """What concerns one of the merged networks."""

    def mine(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}

    return Recording(*(mine(getattr(recording, f)) for f in FIELDS))


def compare(case: Case, ours: Recording, other: Recording, whose: str = "Lava") -> None:
    """Every layer, step, neuron: spikes, membrane and outputs of the simulator against another's.

    Raises:
        Mismatch: at the first difference.
    """
    for kind in FIELDS:
        one, two = getattr(ours, kind), getattr(other, kind)
        if one.keys() != two.keys():
            raise Mismatch(f"{kind} of {sorted(one)} in the simulator, of {sorted(two)} in {whose}", case)
        for name in one:
            _compare_arrays(f"{kind} of {name}", one[name], two[name], whose, case)


def compare_with_slow_chip(case: Case, ours: Recording) -> bool:
    """The same against tests/scalar_chip, if the network is small; says whether it was."""
    network, encoded = case.network, case.encoded
    neurons = sum(p.size for p in network.populations.values())
    if neurons * encoded.steps * encoded.samples > SCALAR_NEURON_STEPS:
        return False
    if sum(q.weight.size * network.populations[q.target].size for q in network.projections.values()) > SCALAR_SYNAPSES:
        return False
    spikes, membranes = scalar_chip.run(network, encoded)
    for name in network.populations:
        _compare_arrays(f"spikes of {name}", ours.spikes[name], spikes[name], "the slow chip", case)
        _compare_arrays(f"membrane of {name}", ours.membrane[name], membranes[name], "the slow chip", case)
    return True


def _compare_arrays(what: str, ours: np.ndarray, theirs: np.ndarray, whose: str, case: Case) -> None:
    if ours.shape != theirs.shape:
        raise Mismatch(f"{what}: shape {ours.shape} in the simulator, {theirs.shape} in {whose}", case)
    unequal = np.argwhere(ours != theirs)
    if len(unequal):
        at = tuple(int(i) for i in unequal[0])
        raise Mismatch(f"{what} at {at}: {ours[at]} in the simulator, {theirs[at]} in {whose}", case)


def _seen(case: Case, recording: Recording) -> set[str]:
    """Features that show only in the run, or in the bounds."""
    found = set()
    for name, population in case.network.populations.items():
        if population_bounds(case.network, population, case.encoded.steps).wraps:
            found.add("chip: current wraps")
        if np.abs(recording.membrane[name].astype(np.int64)).max(initial=0) == MEMBRANE_LIMIT:
            found.add("chip: membrane clips")
        if not population.fires and recording.spikes[name].any():
            found.add("chip: readout clips")
    return found
