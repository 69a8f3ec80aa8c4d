"""Takes the documents' pictures of a report in Chromium: ``python docs/pictures/shoot.py RUN`` writes ``docs/pictures/report-*.png``.

Needs playwright and a Chromium on the path; RUN is a run folder with a report, such as ``runs/demo`` after ``make demo``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PARTS = {"training": ("section:has(h2:text-is('Training'))", 800), "siblings": ("details.family", 960)}
"""What is shown and the height up to which it is, in pixels, by the name of its picture."""
OPENED = "one => [one.closest('details'), one.querySelector('details')].forEach(found => { if (found) found.open = true })"
BESIDE = 14
"""Pixels of the page's own ground to the left and right."""


def shoot(report: Path, folder: Path) -> list[Path]:
    """Write a picture of each part and return the files."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    files = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1120, "height": 900}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        for name, (selector, most) in PARTS.items():
            part = page.locator(selector).first
            part.evaluate(OPENED)
            box = part.bounding_box() or sys.exit(f"{report} has no {name}")
            clip: Any = {"x": box["x"] - BESIDE, "y": box["y"], "width": box["width"] + 2 * BESIDE, "height": min(box["height"], most)}
            files.append(folder / f"report-{name}.png")
            page.screenshot(path=files[-1], full_page=True, clip=clip)
        browser.close()
    return files


if __name__ == "__main__":
    for written in shoot(Path(sys.argv[1]) / "report.html", HERE):
        print(written)
