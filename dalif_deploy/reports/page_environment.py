"""What every page is made with: templates of the folder `page`, each name escaped, one style."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2

FOLDER = Path(__file__).parent / "page"


def page_environment() -> jinja2.Environment:
    """Jinja over the folder; names come from foreign files, and every one is escaped."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def package_version() -> str:
    """The installed version, for the foot of a page."""
    try:
        return version("dalif-deploy")
    except PackageNotFoundError:  # run from its source folder
        return "(not installed)"
