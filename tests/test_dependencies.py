"""What the project rests on: the page says what pyproject.toml says, and nothing comes in under another licence."""

import fnmatch
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dalif_deploy.hw_models.chips.description import tomllib

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
PERMISSIVE = re.compile(r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|CC0|Unlicense|Zlib", re.I)
OTHERWISE = re.compile(r"GPL|General Public|Proprietary|Commercial", re.I)


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements():
    """(extra, Requirement); extra is "" for what is always installed."""
    lists = {"": project()["dependencies"], **project()["optional-dependencies"]}
    found = [(extra, Requirement(text)) for extra, texts in lists.items() for text in texts]
    return [(extra, requirement) for extra, requirement in found if requirement.name != project()["name"]]


def declared():
    """(extra, package, bounds) of each requirement."""
    return {(extra, r.name, str(r.specifier)) for extra, r in requirements()}


def told():
    """The same as the page's tables have it, with licence and reason."""
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
    extra_of = {"Always": "", "For tests and development": "test"}
    rows = {}
    for title, text in sections.items():
        for line in re.findall(r"^\| (?!-)(.+) \|$", text, re.M):
            cells = line.split(" | ")
            cells = [extra_of[title], *cells] if title in extra_of else cells
            extra, package, bounds, licence, reason = cells
            if package != "package":
                rows[extra, package, ",".join(sorted(bounds.split(",")))] = licence, reason
    return rows


def test_the_page_has_every_dependency_with_its_bounds():
    from_project = {(extra, name, ",".join(sorted(bounds.split(",")))) for extra, name, bounds in declared()}
    assert from_project == told().keys()
    assert all(len(reason.split()) > 1 and licence for licence, reason in told().values())


def test_every_dependency_has_a_lower_bound():
    for extra, name, bounds in declared():
        assert re.search(r">=|==|~=", bounds), f"{name} of [{extra}]"


def test_what_is_installed_keeps_the_bounds():
    """pip is told once, when the environment is made; a later bound may pass it by."""
    for _, requirement in requirements():
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            continue
        asked = requirement.marker is None or requirement.marker.evaluate()
        assert not asked or requirement.specifier.contains(version, prereleases=True), (requirement, version)


def let_in_by_name():
    """Packages that the page's list names, by patterns."""
    bullets = PAGE[PAGE.index("\n- **GPL") : PAGE.index("Known vulnerabilities")]
    return [canonicalize_name(name) if "*" not in name else name for name in re.findall(r"`([\w*-]+)`", bullets)]


def refused(licences, patterns):
    """Of (package, licence) pairs, those that do not go with BSD-3-Clause and are not let in."""
    return [
        (package, licence[:60])
        for package, licence in licences
        if (OTHERWISE.search(licence) or not PERMISSIVE.search(licence))
        and not any(fnmatch.fnmatch(canonicalize_name(package), pattern) for pattern in patterns)
    ]


def test_licences_go_with_ours():
    pytest.importorskip("piplicenses")
    done = subprocess.run(
        [Path(sys.executable).with_name("pip-licenses"), "--format", "json"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    licences = [(row["Name"], row["License"]) for row in json.loads(done.stdout)]
    assert len(licences) > 60
    assert not refused(licences, let_in_by_name())


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "BSD License; GNU Lesser General Public License v2", "UNKNOWN"])
def test_other_licences_are_refused(licence):
    assert refused([("new", licence), ("tonic", licence), ("fine", "MIT")], ["tonic"]) == [("new", licence)]


def test_the_page_calls_copyleft_what_its_metadata_does():
    for (_, name, _), (licence, _) in told().items():
        try:
            fields = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue
        classifiers = [word for word in fields.get_all("Classifier", []) if word.startswith("License")]
        words = [fields.get("License") or "", fields.get("License-Expression") or "", *classifiers]
        if any(words):  # faery's metadata say nothing
            copyleft = any(re.search(r"GPL|General Public License", word[:200], re.I) for word in words)
            assert copyleft == ("GPL" in licence), name


def test_citation_and_changelog_have_the_version():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project()["version"] and citation["license"] == project()["license"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{project()['version']}]" in changelog
