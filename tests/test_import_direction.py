"""Imports point one way; the contract stands in pyproject.toml."""

import subprocess
import sys
from pathlib import Path


def test_imports_point_one_way():
    root = Path(__file__).parent.parent
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout
    contracts = (root / "pyproject.toml").read_text(encoding="utf-8").count("[[tool.importlinter.contracts]]")
    assert f"{contracts} kept" in result.stdout and contracts >= 2


def test_hardware_forms_need_no_torch():
    """The Lava worker must not import torch, which hangs inside Lava."""
    forms = "from dalif_deploy.hw_models.chip_network import file, form; "
    forms += "from dalif_deploy.hw_models.samples import recording"
    code = f"import sys; {forms}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_the_help_of_the_commands_needs_no_chip_s_description():
    code = "import sys; from dalif_deploy.hw_models.chips import names; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
