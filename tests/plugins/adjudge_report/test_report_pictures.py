"""The pages in a real browser, on a desk and on a phone, light and dark: readable, nothing beside the screen, no error.

Where the environment variable ADJUDGE_PICTURES names a folder, pictures of them are kept there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import JobError, Plugins, Run
from adjudge.cli.app import app_of
from adjudge_report import Html

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed, so no browser can be driven")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

OVERLAPPING = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const texts = [...svg.querySelectorAll('text')].filter(one => one.textContent.trim());
  const boxes = texts.map(one => one.getBoundingClientRect());
  const shared = (a, b, from, to) => Math.min(a[to], b[to]) - Math.max(a[from], b[from]);
  const meet = (a, b) => shared(a, b, 'left', 'right') > 1 && shared(a, b, 'top', 'bottom') > 2;
  return boxes.flatMap((a, one) => boxes.slice(one + 1).flatMap((b, more) =>
    meet(a, b) ? [`${svg.getAttribute('aria-label')}: ${texts[one].textContent} / ${texts[one + 1 + more].textContent}`] : []));
})"""
"""Pairs of texts of a plot that lie on each other."""
LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def look_at(browser: Any, file: FilePath) -> None:
    """Open a page in every look with all that can be opened, and check it."""
    for width, scheme in LOOKS:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.goto(file.resolve().as_uri())
        if pictures := os.environ.get("ADJUDGE_PICTURES"):
            page.screenshot(path=FilePath(pictures) / f"{file.stem}-{width}-{scheme}.png", full_page=True)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        assert not page.evaluate(OVERLAPPING)
        tags = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
        found = axe.Axe().run(page, options=tags).response["violations"]
        assert not [(one["id"], node["target"], node["failureSummary"]) for one in found for node in one["nodes"]]
        assert not said
        page.close()


def test_the_page_of_a_finished_run(finished: Run, browser: Any) -> None:
    look_at(browser, finished.folder / "report.html")


def test_the_page_of_an_unfinished_run_and_one_of_both(finished: Run, make_run: Callable[..., Run], browser: Any) -> None:
    run = make_run(stages=[{"use": "grpo", "fail_at": 9}, "sft"])
    with pytest.raises(JobError):
        run.execute()
    page = Html().write(run.folder)
    look_at(browser, page.rename(page.with_name("unfinished.html")))
    look_at(browser, Html().write_several([finished.folder, run.folder], run.folder / "compared.html"))


def test_the_page_of_a_judges_health(browser: Any, tmp_path: FilePath) -> None:
    page, pairs = tmp_path / "health.html", tmp_path / "pairs.jsonl"
    sums = [(number, 3 * number + 8) for number in range(15, 95, 10)]
    wrong = [(one + other) * 10 ** (place % 4 - 1) for place, (one, other) in enumerate(sums)]  # some shorter, some longer
    rows = [
        {"id": str(one), "prompt": f"{one}+{other}", "answers": [str(one + other), str(int(false) + 1)], "label": 0}
        for (one, other), false in zip(sums, wrong, strict=True)
    ]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    words = ["--data", f"{{use: jsonl, file: {pairs}}}", "--samples", "3", "--attacked", "3", "--out", str(page)]
    done = CliRunner().invoke(app_of(Plugins.load(autoload=False)), ["health", *words])
    assert done.exit_code == 0, done.output
    assert page.read_text(encoding="utf-8").count("<svg") == 4, "votes, lengths, openers, markup"
    look_at(browser, page)


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
