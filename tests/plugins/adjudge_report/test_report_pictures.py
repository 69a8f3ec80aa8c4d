"""The pages in a real browser, on a desk and on a phone, light and dark: readable, nothing beside the screen, no error; pictures are kept.

The pictures lie in the test's own folder, or where the environment variable ADJUDGE_PICTURES says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import JobError, Run
from adjudge_report import Html

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed, so no browser can be driven")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def look_at(browser: Any, file: FilePath, pictures: FilePath) -> None:
    """Open a page in every look with all that can be opened, take its picture, and check it."""
    for width, scheme in LOOKS:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.goto(file.resolve().as_uri())
        page.screenshot(path=pictures / f"{file.stem}-{width}-{scheme}.png", full_page=True)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        tags = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
        found = axe.Axe().run(page, options=tags).response["violations"]
        assert not [(one["id"], node["target"], node["failureSummary"]) for one in found for node in one["nodes"]]
        assert not said
        page.close()


@pytest.fixture
def pictures(tmp_path: FilePath) -> FilePath:
    folder = FilePath(os.environ.get("ADJUDGE_PICTURES") or tmp_path / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_the_page_of_a_finished_run(finished: Run, browser: Any, pictures: FilePath) -> None:
    look_at(browser, finished.folder / "report.html", pictures)


def test_the_page_of_an_unfinished_run_and_one_of_both(
    finished: Run, make_run: Callable[..., Run], browser: Any, pictures: FilePath
) -> None:
    run = make_run(stages=[{"use": "grpo", "fail_at": 9}, "sft"])
    with pytest.raises(JobError):
        run.execute()
    page = Html().write(run.folder)
    look_at(browser, page.rename(page.with_name("unfinished.html")), pictures)
    look_at(browser, Html().write_several([finished.folder, run.folder], run.folder / "compared.html"), pictures)


def test_a_wide_table_says_that_it_scrolls_and_keeps_its_first_column(finished: Run, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto((finished.folder / "report.html").resolve().as_uri())
    table = page.locator(".wide").first
    said = table.evaluate("one => [getComputedStyle(one, '::before').content, parseFloat(getComputedStyle(one, '::before').height)]")
    assert "scrolls sideways" in said[0]
    assert said[1] > 0
    before = table.locator("tbody th").first.bounding_box()
    table.evaluate("one => { one.scrollLeft = 200 }")
    assert table.locator("tbody th").first.bounding_box() == before
    page.close()
