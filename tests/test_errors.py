"""Faults in one line, and the exit code that a script can rely on."""

import pytest

from dalif_deploy.cli.command import run_command
from dalif_deploy.hw_models.errors import CheckFailed, UserError
from dalif_deploy.hw_models.mapping import DoesNotFit
from dalif_deploy.hw_models.mapping.partition import CORE_LIMITS


@pytest.mark.parametrize(
    ("error", "code"),
    [(UserError("bad"), 2), (CheckFailed("differs"), 1), (DoesNotFit("chips", 900, 768, chip="Loihi"), 1)],
)
def test_a_failed_check_is_not_a_bad_input(capsys, error, code):
    def command() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        run_command(command, [])
    assert end.value.code == code
    assert capsys.readouterr().err == f"error: {error}\n"


@pytest.mark.parametrize("limit", [limit for limit in CORE_LIMITS if limit != "neurons_per_core"])  # one fits always
def test_every_limit_of_a_core_can_be_told(limit):
    told = str(DoesNotFit(limit, 3000, 2000, layer="conv", chip="Loihi"))
    assert told.startswith("layer conv: does not fit: one neuron alone needs 3,000 ")
    assert "has 2,000 (1.50 times)" in told and "; " in told


def test_one_line_says_where_what_and_what_to_do():
    assert str(UserError("is\nempty", where="a.npz", remedy="give  samples")) == "a.npz: is empty; give samples"
    assert str(UserError("is empty")) == "is empty"
    assert "needs 900 chips" in str(DoesNotFit("chips", 900, 768, chip="Loihi"))
