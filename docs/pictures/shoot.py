"""Takes the documents' pictures of a run, its report and the viewer, in Chromium: ``python docs/pictures/shoot.py RUN`` writes them here.

Needs playwright and a Chromium on the path; RUN is a folder with a report and a stage ``sft``, such as ``runs/demo`` after ``make demo``.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent
PARTS = {"training": ("section:has(h2:text-is('Training'))", 800), "siblings": ("details.family", 960)}
"""What is shown of the report and the height up to which it is, in pixels, by the name of its picture."""
OPENED = "one => [one.closest('details'), one.querySelector('details')].forEach(found => { if (found) found.open = true })"
BESIDE = 14
"""Pixels of the page's own ground to the left and right."""
WINDOW: Any = {"width": 1120, "height": 860}
"""Of the viewer, in pixels."""
COLOURS = 256
"""Of a picture of the viewer, which makes it half its size."""


def report(browser: Any, page_file: Path, folder: Path) -> Iterator[Path]:
    """Write a picture of each part of a report."""
    page = browser.new_page(viewport={"width": 1120, "height": 900}, color_scheme="light")
    page.goto(page_file.resolve().as_uri())
    for name, (selector, most) in PARTS.items():
        part = page.locator(selector).first
        part.evaluate(OPENED)
        box = part.bounding_box() or sys.exit(f"{page_file} has no {name}")
        clip: Any = {"x": box["x"] - BESIDE, "y": box["y"], "width": box["width"] + 2 * BESIDE, "height": min(box["height"], most)}
        page.screenshot(path=folder / f"report-{name}.png", full_page=True, clip=clip)
        yield folder / f"report-{name}.png"


def viewer(browser: Any, run: Path, folder: Path) -> Iterator[Path]:
    """Write pictures of the viewer's page, of a copy that needs no server."""
    from PIL import Image

    from adjudge_view import Library, export

    scores = map(json.loads, next((run / "records").glob("*-sft-scores.jsonl")).read_text(encoding="utf-8").splitlines())
    kept = next(row["path_id"] for row in scores if row["kept"])
    stage = next((run / "records").glob("*-sft-paths.jsonl")).name.removesuffix("-paths.jsonl")
    links = {
        "judgement": f"#/runs/{{run}}/judgements/{stage}-paths/{kept}?stage={stage}&set=paths",
        "compare": "#/compare",
    }
    with TemporaryDirectory() as place:
        library = Library([run])
        copy = export(library, Path(place) / "copy").as_uri()
        page = browser.new_page(viewport=WINDOW, color_scheme="light")
        for name, link in links.items():
            page.goto("about:blank")
            page.goto(copy + link.format(run=next(iter(library.indexes))))
            page.locator(".items a.row").first.wait_for()
            if name == "compare":
                page.locator(".items a.row").first.click()
            page.locator("article.open h2").first.wait_for()
            page.evaluate("document.activeElement.blur()")
            file = folder / f"view-{name}.png"
            page.screenshot(path=file)
            Image.open(file).convert("RGB").quantize(COLOURS).save(file, optimize=True)
            yield file


def shoot(run: Path, folder: Path) -> list[Path]:
    """Write all pictures and return the files."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        files = [*report(browser, run / "report.html", folder), *viewer(browser, run, folder)]
        browser.close()
    return files


if __name__ == "__main__":
    for written in shoot(Path(sys.argv[1]), HERE):
        print(written)
