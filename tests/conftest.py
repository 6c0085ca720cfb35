"""Fixtures that several test files share."""

import pytest

from dalif_deploy.converters.lava.compat import require_lava
from dalif_deploy.hw_models.errors import UserError


@pytest.fixture(scope="session")
def lava() -> None:
    """Skips what runs Lava where Lava is not installed: it is installed apart above Python 3.10."""
    try:
        require_lava()
    except UserError as error:
        pytest.skip(str(error))
