"""The report's page in a real browser, driven through Playwright: the Chromium of the system, or Playwright's own."""

import os
import shutil

import pytest

from dalif_deploy.reports.energy_page import energy_page
from tests.test_energy_page import make_report, with_evil_names

SYSTEM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECTIONS = ("headline", "energy", "samples", "layers", "mapping", "memory", "membranes", "comparisons", "constants")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright (pip install playwright)")
    with playwright.sync_playwright() as running:
        if SYSTEM is None and not os.path.exists(running.chromium.executable_path):
            pytest.skip("no Chromium is installed (Debian: apt install chromium; else: playwright install chromium)")
        found = running.chromium.launch(executable_path=SYSTEM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module", params=["loihi1", "loihi2"])
def report(request, tmp_path_factory):
    return make_report(tmp_path_factory.mktemp("browser"), request.param)


def opened(browser, text, folder, width, scheme="light"):
    """The page in a window of `width`, and what it complained of or asked the outside for."""
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda asked: asked.is_navigation_request() or complaints.append(asked.url))
    page.goto(file.as_uri(), wait_until="load")
    return page, complaints


@pytest.mark.parametrize("width", [360, 820, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_part_is_there_and_fits(browser, report, width, scheme, tmp_path):
    page, complaints = opened(browser, energy_page(report), tmp_path, width, scheme)
    for section in SECTIONS:
        assert page.locator(f"#{section}").bounding_box()["height"] > 20, section
    assert page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [width, width]
    # nothing sticks out of its section, but what can be scrolled
    assert (
        page.evaluate(
            """[...document.querySelectorAll("main *")].filter((part) => !part.closest(".scroll, svg")
           && part.getBoundingClientRect().right > innerWidth).map((part) => part.outerHTML)"""
        )
        == []
    )
    assert page.locator("#mapping .chip g").count() == report.mapping.cores
    assert complaints == []
    page.close()


def test_choices_and_sorting(browser, report, tmp_path):
    page, complaints = opened(browser, energy_page(report), tmp_path, 1000)
    panels = page.locator("[data-group=term]")
    assert [panels.nth(i).is_visible() for i in range(panels.count())] == [True] + [False] * (panels.count() - 1)
    page.get_by_role("button", name="neuron updates, active").first.click()
    assert page.locator("[data-group=term]:visible").get_attribute("data-panel") == "1"
    cells = page.locator("#layers table.sortable tbody tr td:nth-child(2)")
    neurons = sorted(layer.neurons for layer in report.counts.layers)
    head = page.locator("#layers table.sortable thead th").nth(1)
    for order in (neurons[::-1], neurons):
        head.get_by_role("button").click()
        assert [int(text.replace(",", "")) for text in cells.all_inner_texts()] == order
    assert head.get_attribute("aria-sort") == "ascending"
    page.locator("#mapping .chip g").first.hover()
    assert report.mapping.core_list[0].population[:4] in page.locator("#tip").inner_text()
    assert complaints == []
    page.close()


def test_paper_shows_what_the_screen_folds(browser, report, tmp_path):
    page, complaints = opened(browser, energy_page(report), tmp_path, 1000, "dark")
    page.evaluate("window.states = []; addEventListener('beforeprint', () => states.push("
                  "document.querySelector('details').open))")  # fmt: skip
    assert len(page.pdf(format="A4")) > 20_000
    assert page.evaluate("states") == [True]
    assert page.evaluate("document.querySelector('details').open") is False
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".switch").first.is_visible()
    assert complaints == []
    page.close()


def test_evil_names_do_nothing(browser, report, tmp_path):
    page, complaints = opened(browser, energy_page(with_evil_names(report)), tmp_path, 360)
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert complaints == []
    page.close()


@pytest.mark.parametrize(
    "addition",
    ['<img src="http://localhost:9/a.png">', "<script>console.log(1)</script>", '<link rel="stylesheet" href="a.css">'],
)
def test_the_page_itself_lets_nothing_else_in(browser, report, addition, tmp_path):
    """What the other tests watch for is seen, and the page's own policy stops it."""
    text = energy_page(report).replace("</body>", addition + "</body>")
    page, complaints = opened(browser, text, tmp_path, 820)
    arrived = []
    page.on("requestfinished", lambda asked: asked.is_navigation_request() or arrived.append(asked.url))
    page.reload()
    page.wait_for_timeout(100)
    assert any("Content Security Policy" in words for words in complaints)
    assert arrived == []
    page.close()
