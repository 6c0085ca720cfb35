"""Target and engine c: the generated code against the slow chip, the batched simulator and the sanitizers."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dalif_deploy.converters.c.compiler import WARNINGS
from dalif_deploy.converters.c.generate import SOURCES, write_sources
from dalif_deploy.converters.c.plan import plan_c
from dalif_deploy.converters.c.run import CNetwork
from dalif_deploy.hw_models.simulator import simulate
from tests import lava_networks as nets
from tests.fuzz_case import Case, Refused
from tests.random_chip_networks import chip_cases
from tests.random_graphs import graph_cases

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
SMALL = ("-O1",)  # the networks are tiny: what takes time is their compilation


def require_equal(case_network, expected, got):
    for kind in ("spikes", "membrane", "outputs"):
        assert getattr(expected, kind).keys() == getattr(got, kind).keys()
        for name, values in getattr(expected, kind).items():
            np.testing.assert_array_equal(values, getattr(got, kind)[name], err_msg=f"{kind} of {name}")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", nets.NETWORKS)
def test_c_equals_the_equations(name):
    network, encoded = nets.NETWORKS[name]()
    got = CNetwork(network, bias_inputs=encoded.bias, flags=SMALL).run(encoded, threads=2)
    require_equal(network, nets.scalar_reference(network, encoded), got)


@pytest.mark.parametrize("name", nets.NETWORKS)
def test_no_compiler_warns(name, tmp_path):
    network, encoded = nets.NETWORKS[name]()
    write_sources(plan_c(network, bias_inputs=encoded.bias), tmp_path, SOURCES, title=name)
    command = ["cc", *WARNINGS, "-Werror", "-O1", "-c", "network.c", "constants.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@st.composite
def cases(draw) -> Case | Refused:
    steps, samples = draw(st.integers(1, 7)), draw(st.integers(1, 3))
    if draw(st.booleans()):
        return draw(chip_cases(steps, samples))
    return draw(graph_cases(steps, samples)).compiled()


def test_random_networks_have_the_simulators_bits():
    ran = 0

    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def compare(case):
        nonlocal ran
        if isinstance(case, Refused):
            return
        built = CNetwork(case.network, case.encoded.steps, bias_inputs=case.encoded.bias, flags=SMALL, cache=False)
        require_equal(case.network, simulate(case.network, case.encoded), built.run(case.encoded, threads=1))
        ran += 1

    compare()
    assert ran >= 25
