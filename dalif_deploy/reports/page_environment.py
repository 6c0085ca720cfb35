"""What every page is made with: templates of the folder `page`, each name escaped, one style."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from dalif_deploy.reports.status_words import look

if TYPE_CHECKING:
    import jinja2

FOLDER = Path(__file__).parent / "page"
COLOURS = 8  # of style.css; further layers take them again, their numbers tell them apart


def page_environment() -> jinja2.Environment:
    """Jinja over the folder; names come from foreign files, and every one is escaped."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"look": look, "colour": lambda number: number % COLOURS}
    environment.globals |= {
        "version": package_version(),
        "style": Markup((FOLDER / "style.css").read_text(encoding="utf-8")),
    }
    return environment


def package_version() -> str:
    """The installed version, for the foot of a page."""
    try:
        return version("dalif-deploy")
    except PackageNotFoundError:  # run from its source folder
        return "(not installed)"
