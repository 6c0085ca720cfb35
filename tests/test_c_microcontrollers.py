"""The exported C on microcontrollers, which qemu stands in for: the same bits, in the memory that was announced."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from dalif_deploy.converters.c.footprint import CALL_BYTES, footprint
from dalif_deploy.converters.c.make_plan import plan_c
from dalif_deploy.converters.c.plan import Plan
from dalif_deploy.converters.dalif_to_nir import network_to_nir
from dalif_deploy.data import load_data
from dalif_deploy.hw_models.compiler import compile_graph
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.networks import NetworkSpec, build_network
from tests import c_program
from tests.lava_networks import several_spikes_network

IMAGES = 20
QEMU = ("-nographic", "-monitor", "none", "-semihosting-config", "enable=on,target=native", "-icount", "shift=0")


@dataclass(frozen=True)
class Board:
    compiler: str
    flags: tuple[str, ...]
    support: str
    libraries: tuple[str, ...]
    machine: tuple[str, ...]


def cortex(cpu: str, machine: str) -> Board:
    libraries = ("-nodefaultlibs", "-lc", "-lgcc")
    return Board(
        "arm-none-eabi-gcc",
        (f"-mcpu={cpu}", "-mthumb"),
        "cortex_m",
        libraries,
        ("qemu-system-arm", "-M", machine),
    )


BOARDS = {
    "cortex-m4": cortex("cortex-m4", "mps2-an386"),
    "cortex-m7": cortex("cortex-m7", "mps2-an500"),
    "rv32": Board(
        "riscv64-unknown-elf-gcc",
        ("-march=rv32imac", "-mabi=ilp32"),
        "riscv",
        ("--specs=picolibc.specs",),
        ("qemu-system-riscv32", "-M", "virt", "-bios", "none"),
    ),
}


@pytest.fixture(scope="module")
def digits():
    """Plan, samples and check sum of a network that has seen digits, but not learned them."""
    data = load_data("digits:test")
    torch.manual_seed(1)
    network = build_network(NetworkSpec(input_shape=(1, 8, 8), classes=10, channels=[16, 32], strides=[1, 2]))
    with torch.no_grad():
        for _ in range(30):
            network(torch.from_numpy(data.inputs[IMAGES : IMAGES + 100]))  # moves the batch norm's averages
    graph = network_to_nir(network.eval(), input_step=data.step)
    compiled = compile_graph(graph, chip="loihi2", steps=4, dt=1e-4, input_mode="graded", input_step=data.step).network
    encoded = encode_input(compiled, data.inputs[:IMAGES])
    expected = simulate(compiled, encoded)
    assert all(spikes.any() for name, spikes in expected.spikes.items() if compiled.populations[name].fires)
    plan = plan_c(compiled)
    return plan, encoded, c_program.expected_crc(plan, expected)


@pytest.mark.parametrize("name", BOARDS)
def test_the_same_bits(name, digits, tmp_path):
    check_board(BOARDS[name], *digits, tmp_path)


@pytest.mark.parametrize("name", BOARDS)
def test_the_same_bits_of_several_spikes_a_step(name, tmp_path):
    network, encoded = several_spikes_network()
    plan = plan_c(network)
    check_board(BOARDS[name], plan, encoded, c_program.expected_crc(plan, simulate(network, encoded)), tmp_path)


def check_board(board: Board, plan: Plan, encoded: EncodedInput, crc: int, tmp_path: Path) -> None:
    """Bits and memory."""
    for program in (board.compiler, board.machine[0]):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed: make install-qemu")
    c_program.write_program(plan, encoded, tmp_path)
    command = [board.compiler, *board.flags, "-Os", "-ffreestanding", "-fstack-usage"]
    script = c_program.BOARDS / f"{board.support}.ld"
    link = ["-nostartfiles", "-T", str(script), f"-Wl,-Map={tmp_path / 'map'}", *board.libraries]
    program = c_program.build(tmp_path, command, board.support, more=link)
    said = c_program.said([*board.machine, *QEMU, "-kernel", str(program)])
    assert said.crc == crc
    needs = footprint(plan)
    # counted by qemu over all steps; neurons can't take fewer than a few for each
    assert said.instructions > 4 * encoded.samples * needs.neurons
    assert said.bytes == needs.state == linked_bytes((tmp_path / "map").read_text())
    code, constants = object_bytes(board.compiler.replace("gcc", "size"), command, tmp_path)
    assert code <= needs.code and constants == needs.constants
    assert stack_bytes((tmp_path / "program-network.su").read_text()) <= needs.stack


def linked_bytes(linker_map: str) -> int:
    """.bss of all objects: the program's one variable that begins as zero is the state."""
    return sum(int(size, 16) for size in re.findall(r"^ \.s?bss\s+0x\w+\s+(0x\w+) ", linker_map, re.MULTILINE))


def object_bytes(size: str, command: list[str], folder) -> tuple[int, int]:
    """Code of network.c, constants of constants.c."""
    found = []
    for source in ("network", "constants"):
        subprocess.run([*command, "-c", f"{source}.c"], cwd=folder, check=True)
        told = subprocess.run([size, f"{source}.o"], cwd=folder, capture_output=True, text=True, check=True).stdout
        found.append(int(told.splitlines()[1].split()[0]))
    return found[0], found[1]


def stack_bytes(usage: str) -> int:
    """Of three functions that are active at once, the largest there are."""
    sizes = sorted(int(line.split("\t")[1]) for line in usage.splitlines())
    assert sizes[-1] > CALL_BYTES // 10
    return sum(sizes[-3:])
