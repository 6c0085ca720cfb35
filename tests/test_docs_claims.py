"""Nothing calls itself the chip's bits without saying against what it was held."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HELD_AGAINST = ROOT / "docs" / "arithmetic-held-against.md"
DRAWN = ROOT / "docs" / "map.md"  # by a script, from docstrings
PAGES = sorted({ROOT / "README.md", *(ROOT / "docs").rglob("*.md")} - {HELD_AGAINST, DRAWN})
CLAIM = re.compile(r"\b(?:the|a) \[?chip's (?:bits|integers)\b")


def words(page):
    return " ".join(page.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("page", [page for page in PAGES if CLAIM.search(words(page))], ids=lambda page: page.stem)
def test_a_page_that_speaks_of_the_chip_s_bits_leads_to_their_sources(page):
    links = re.findall(r"\]\(([^)#\s]+)", words(page))
    assert HELD_AGAINST in {(page.parent / link).resolve() for link in links if "://" not in link}


def test_that_page_names_the_sources_and_what_is_known_of_lava():
    text = words(HELD_AGAINST)
    for said in ("Lava is archived", "issue 322", "Brian2Loihi", "nengo-loihi", "not here", "No chip is at hand"):
        assert said in text, said
