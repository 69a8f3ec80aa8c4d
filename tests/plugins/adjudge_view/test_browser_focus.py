"""The keyboard is where a reader expects it: one stop for a list, in what was opened, and back where it came from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .test_browser import OPEN, ROW, visit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.slow
"""The run that they look at is trained."""


def focused(page: Page, selector: str) -> None:
    """Wait until what matches has the focus."""
    page.locator(f"{selector}:focus").wait_for()


@pytest.mark.parametrize("width", [1280, 390])
def test_opening_goes_into_what_is_opened_and_escape_comes_back(window: BrowserContext, address: str, width: int) -> None:
    page = window.new_page()
    page.set_viewport_size({"width": width, "height": 850})
    visit(page, address, "#/runs/round-robin/tournaments")
    page.locator(ROW).first.focus()
    page.keyboard.press("Enter")
    focused(page, f"{OPEN} h2")
    page.locator("a.match").nth(1).focus()
    page.keyboard.press("Enter")
    focused(page, ".match-open h3")
    page.keyboard.press("Escape")
    focused(page, 'a.match[data-match="1.2"]')
    assert page.locator(".match-open").count() == 0
    page.keyboard.press("Escape")
    focused(page, ROW)
    assert page.url.endswith("/tournaments")


def test_a_sibling_opens_under_its_heading(window: BrowserContext, address: str, shown: Path) -> None:
    page = window.new_page()
    rows = [json.loads(line) for line in (shown / "demo/records/2-sft-paths.jsonl").read_text().splitlines()]
    visit(page, address, f"#/runs/demo/judgements/2-sft-paths/{rows[0]['id']}")
    page.locator(f"{OPEN} tbody th a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: rows[0]["id"] not in url)
    focused(page, f"{OPEN} h2")


def test_a_list_is_one_stop_of_the_tab_key(window: BrowserContext, address: str) -> None:
    page = window.new_page()
    visit(page, address, "#/runs/demo/judgements")
    page.locator(ROW).nth(3).wait_for()
    for _ in range(3):
        page.keyboard.press("j")
    ids = [row.get_attribute("data-id") for row in page.locator(ROW).all()]
    page.locator(f"{ROW}[aria-current][data-id='{ids[2]}']").wait_for()
    page.locator("pre.tokens, pre").first.wait_for()
    page.locator("details.more summary").focus()
    page.keyboard.press("Tab")
    focused(page, f"{ROW}[data-id='{ids[2]}']")
    page.keyboard.press("ArrowDown")
    focused(page, f"{ROW}[data-id='{ids[3]}']")
    assert page.locator(f"{ROW}[aria-current]").get_attribute("data-id") == ids[2]
    page.keyboard.press("Tab")
    assert not page.evaluate("document.querySelector('.items').contains(document.activeElement)")
    page.keyboard.press("Shift+Tab")
    focused(page, f"{ROW}[data-id='{ids[3]}']")
    page.keyboard.press("Enter")
    page.locator(f"{ROW}[aria-current][data-id='{ids[3]}']").wait_for()
    focused(page, f"{OPEN} h2")


def test_pages_are_turned_without_losing_the_place(window: BrowserContext, address: str) -> None:
    page = window.new_page()
    visit(page, address, "#/runs/demo/judgements")
    page.get_by_label("Next page").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("offset=50"))
    page.locator(".pages", has_text=re.compile("^51–")).wait_for()
    assert page.evaluate("document.querySelector('.pages').contains(document.activeElement)")


def test_runs_are_gone_through_by_keys(window: BrowserContext, address: str) -> None:
    page = window.new_page()
    visit(page, address, "#/")
    names = page.locator(".runs th a").all_inner_texts()
    assert names == ["broken", "demo", "knockout", "round-robin"]
    for key, name in (("j", "broken"), ("j", "demo"), ("j", "knockout"), ("k", "demo")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.textContent") == name
    page.keyboard.press("Enter")
    page.locator(".tile").first.wait_for()
    focused(page, "main h1")


def test_a_word_tells_what_it_means(window: BrowserContext, address: str, shown: Path) -> None:
    page = window.new_page()
    kept = next(row for row in map(json.loads, (shown / "demo/records/2-sft-scores.jsonl").read_text().splitlines()) if row["kept"])
    visit(page, address, f"#/runs/demo/judgements/2-sft-paths/{kept['id']}")
    for word in ("R⋆", "validity"):
        button = page.locator(OPEN).get_by_role("button", name=word, exact=True).first
        button.focus()
        page.keyboard.press("Enter")
        assert "probability" in page.get_by_role("dialog", name=word).inner_text()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="hidden")
        assert page.evaluate("document.activeElement.textContent") == word
    page.keyboard.press("?")
    words = page.get_by_role("dialog", name="Keys and words").locator("dt").all_inner_texts()
    assert {"R⋆", "validity", "spread", "advantage", "rating", "bye"} <= set(words)
