"""NVML's counter, by a made-up NVML: no GPU is needed to read millijoules as joules, of the GPU that torch uses."""

import sys
from types import SimpleNamespace

import pytest
import torch

from dalif_deploy.hw_models.energy.opponents.gpu_measurement import find_counter


class MadeUpNvml:
    """Two GPUs; the second has no counter."""

    class NVMLError(Exception):
        pass

    def __init__(self):
        self.millijoules, self.synchronised = 5000, 0

    def nvmlInit(self):  # noqa: N802
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802
        return {"GPU-first": "first", "GPU-second": "second"}[uuid]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):  # noqa: N802
        if handle != "first":
            raise self.NVMLError("not supported")
        assert self.synchronised, "work that was given to the GPU may still run"
        return self.millijoules


@pytest.fixture
def nvml(monkeypatch):
    made = MadeUpNvml()
    monkeypatch.setitem(sys.modules, "pynvml", made)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="first", name="Made up"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: setattr(made, "synchronised", made.synchronised + 1))
    return made


def test_millijoules_are_read_as_joules(nvml):
    counter, reason = find_counter()
    assert reason == "" and counter.name == "Made up"
    assert counter.joules() == pytest.approx(5.0)
    nvml.millijoules += 250
    assert counter.joules() == pytest.approx(5.25)


def test_a_gpu_without_a_counter_says_so(nvml, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="second", name="Made up"))
    counter, reason = find_counter()
    assert counter is None and "not supported" in reason


def test_without_the_package_it_says_what_to_install(nvml, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    counter, reason = find_counter()
    assert counter is None and "pip install" in reason
