"""The docs site builds without a warning, from the pages and docstrings as they are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install -e '.[docs]'")
    for plugin in ("material", "mkdocstrings", "mkdocs_jupyter"):
        pytest.importorskip(plugin, reason=f"{plugin} is not installed: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    # Material prints a note on the future of MkDocs, which is no warning of the build
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_every_page_is_in_the_navigation(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    pages = {path.parent.relative_to(site) for path in site.rglob("index.html")}
    linked = {Path(link.rstrip("/")) for link in re.findall(r'href="([\w/-]+/)"', home)}
    assert len(pages) > 20
    assert pages - linked <= {Path(".")}


def test_reference_has_the_docstrings(site):
    api = (site / "reference" / "api" / "index.html").read_text(encoding="utf-8")
    assert 'id="dalif_deploy.api.energy_report"' in api
    assert "verified on them" in api  # from the docstring of export


def test_pages_load_nothing_from_elsewhere(site):
    """Scripts, styles, fonts and pictures are the site's own."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:script|img|iframe)[^>]+src=[\"']?(https?:)?//", text)
        fetched += re.findall(r"<link[^>]+rel=[\"']?stylesheet[^>]+href=[\"']?https?://", text)
        assert not fetched, page
