"""A copy opened as a file does what the server's page does, and a page follows a run that is at work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adjudge_view import Library, export

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

pytestmark = pytest.mark.slow
"""The run that they look at is trained."""
ROW, OPEN = ".items a.row", "article.open"


def test_a_copy_filters_searches_and_opens_without_a_server(window: BrowserContext, shown: Path, tmp_path: Path) -> None:
    copy = export(Library([shown]), tmp_path / "copy").as_uri()
    page = window.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{copy}#/runs/demo/judgements?set=paths&kept=yes&sort=-score")
    page.locator(ROW).first.wait_for()
    scores = [json.loads(line) for line in (shown / "demo/records/2-sft-scores.jsonl").read_text().splitlines()]
    kept = [row for row in scores if row["kept"]]
    assert page.locator(ROW).count() == len(kept)
    best = max(kept, key=lambda row: row["value"])
    assert f"R⋆ {best['value']:.4g}" in page.locator(ROW).first.inner_text()
    page.keyboard.press("j")
    page.locator(f"{OPEN} .reason").wait_for()
    page.goto(f"{copy}#/runs/demo/judgements?set=paths&text=BOXED%7Bassistant%202")
    page.locator(ROW).first.wait_for()
    texts = [json.loads(line)["completion"]["text"] for line in (shown / "demo/records/2-sft-paths.jsonl").read_text().splitlines()]
    found = sum("boxed{assistant 2" in text.lower() for text in texts)
    page.locator(".pages", has_text=f"{found}, ").wait_for()
    for link in ("#/runs/demo/groups", "#/runs/knockout/tournaments", "#/compare"):
        page.goto(copy + link)
        page.locator(ROW).first.click()
        page.locator(f"{OPEN} h2").first.wait_for()
    assert all(url.startswith(("file:", "data:")) for url in asked)


def test_a_page_follows_what_is_written(window: BrowserContext, address: str, shown: Path) -> None:
    page = window.new_page()
    page.goto(f"{address}#/runs/broken/judgements")
    page.locator(ROW).first.wait_for()
    before = page.locator(ROW).count()
    file = shown / "broken" / "records" / "0-base-evaluation-graded.jsonl"
    row = {**json.loads(file.read_text().splitlines()[0]), "id": "one more", "problem_id": "one more"}
    # By another process, as a run is.
    write = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + chr(10))"
    subprocess.run([sys.executable, "-c", write, str(file), json.dumps(row)], check=True)
    page.locator(ROW).nth(before).wait_for()
