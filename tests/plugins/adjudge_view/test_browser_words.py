"""What a newcomer is told: places and byes in words, no empty columns, an address that leads nowhere, and all of it on a phone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adjudge_view import Library, export

from .test_browser import OPEN, ROW, visit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.slow
"""The run that they look at is trained."""
PHONE = 390
PAIR = "a=demo%3A0-base&b=demo%3A2-sft"


def column(page: Page, label: str, name: str) -> list[str]:
    """What a table has under this heading, from top to bottom."""
    table = page.locator(f"[aria-label='{label}'] table")
    place = table.locator("thead th").all_inner_texts().index(name)
    return [row.locator("th, td").nth(place).inner_text().strip() for row in table.locator("tbody tr").all()]


def test_a_knockouts_ladder_shares_places_and_tells_of_byes(window: BrowserContext, address: str) -> None:
    page = window.new_page()
    visit(page, address, "#/runs/knockout/tournaments")
    page.locator(ROW).first.click()
    page.locator(f"{OPEN} h2").wait_for()
    ladder = "Ladder of the candidates"
    assert column(page, ladder, "place") == ["1", "2", "3", "4=", "4="]  # five candidates: 3, 2, 1, 0 and 0 rounds
    assert column(page, ladder, "rating") == ["3", "2", "1", "0", "0"]
    assert sum(map(int, column(page, ladder, "byes"))) == 2  # one of five, and one of the three that are left
    assert "95% interval" not in page.locator(f"{OPEN} thead").first.inner_text()
    said = page.locator(f"{OPEN} .caption").first.inner_text()
    assert said.startswith("The rating is the number of rounds that a candidate survived.")
    assert "went on without a match" in said
    assert "Candidates with the same rating share a place; their order is drawn." in said


def test_rankings_have_no_count_of_judgements(window: BrowserContext, address: str) -> None:
    page = window.new_page()
    visit(page, address, "#/")
    counts = dict(zip(column(page, "All runs", "run"), column(page, "All runs", "judgements"), strict=True))
    assert counts["knockout"] == counts["round-robin"] == "–"
    assert int(counts["demo"]) > 0


def test_scores_that_differ_by_rounding_alone_are_equal(window: BrowserContext, address: str) -> None:
    page = window.new_page()
    visit(page, address, "#/")
    twin = {"id": "a", "score": 0.7299999, "score_name": "rstar", "kept": False, "right": True}
    kept, low = {**twin, "id": "b", "score": 0.73, "kept": True}, {**twin, "id": "c", "score": 0.5}
    family = [twin, kept, low]
    said = {one["id"]: page.evaluate("one => adjudge.whyKept(one)", {**one, "siblings": family}) for one in family}
    assert "its R⋆ is 0.73, the highest of the 3 that were scored, shared with 1 other; " in said["b"]
    assert said["a"].startswith("This path was dropped: its R⋆ is 0.73, the highest of the 3 that were scored, shared with 1 other; ")
    assert said["a"].endswith("The kept path scores the same, 0.73, but for rounding errors, which decided.")
    later = page.evaluate("one => adjudge.whyKept(one)", {**twin, "id": "d", "siblings": [{**twin, "id": "d"}, kept, low]})
    assert later.endswith("The kept path scores the same, 0.73: of equals the one with the lower id is kept, which is as good as a lot.")
    assert "its R⋆ is 0.5, the third highest of the 3 that were scored; " in said["c"]
    assert said["c"].endswith("The kept path has R⋆ 0.73.")


@pytest.mark.parametrize("link", ["#/foo", "#/runs/nobody", "#/runs/demo/foo"])
def test_an_unknown_address_is_told_with_a_way_home(window: BrowserContext, address: str, link: str) -> None:
    page = window.new_page()
    visit(page, address, link)
    assert page.locator("main h1").inner_text() == "Not here"
    assert link.rsplit("/", 1)[1] in page.locator("main .notice").inner_text()
    page.get_by_role("link", name="To the runs").click()
    page.locator("main .runs").wait_for()


def test_a_comparison_begins_with_the_first_and_the_last_stage_whatever_was_open(
    window: BrowserContext, address: str, shown: Path, tmp_path: Path
) -> None:
    page = window.new_page()
    for before in ("#/", "#/runs/broken", "#/runs/knockout/tournaments"):
        visit(page, address, before)
        page.goto(f"{address}#/compare")
        page.wait_for_url(lambda url: url.endswith(f"#/compare?{PAIR}"))
    visit(page, address, "#/runs/demo")
    assert page.get_by_role("link", name="Compare").get_attribute("href") == f"#/compare?{PAIR}"
    copy = export(Library([shown]), tmp_path / "copy").as_uri()
    page.goto(f"{copy}#/compare")
    page.wait_for_url(lambda url: url.endswith(f"#/compare?{PAIR}"))
    page.locator(ROW).first.wait_for()


def test_what_matters_is_seen_on_a_phone_without_moving_a_table(window: BrowserContext, address: str, shown: Path) -> None:
    page = window.new_page()
    page.set_viewport_size({"width": PHONE, "height": 850})
    kept = next(row for row in map(json.loads, (shown / "demo/records/2-sft-scores.jsonl").read_text().splitlines()) if row["kept"])
    looked_at = {
        f"#/runs/demo/judgements/2-sft-paths/{kept['id']}": ("Siblings of the same problem", ["verdict", "R⋆"]),
        "#/runs/demo/groups?sort=-spread": ("Rewards of the group", ["reward", "right or wrong"]),
        "#/runs/knockout/tournaments": ("Ladder of the candidates", ["candidate", "rating"]),
        "#/runs/demo": ("Accuracy on graded", ["accuracy", "95% interval"]),
        "#/": ("All runs", ["state", "measured"]),
    }
    for link, (label, names) in looked_at.items():
        visit(page, address, link)
        if link.endswith(("spread", "tournaments")):
            page.locator(ROW).first.click()
        table = page.locator(f"[aria-label='{label}']")
        table.wait_for()
        heads = table.locator("thead th").all_inner_texts()
        for name in names:
            box = table.locator("tbody tr").first.locator("th, td").nth(heads.index(name)).bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= PHONE, (link, name)


def test_a_run_is_folded_on_a_phone_and_says_how_its_reward_went(window: BrowserContext, address: str) -> None:
    page = window.new_page()
    page.set_viewport_size({"width": PHONE, "height": 850})
    visit(page, address, "#/runs/demo")
    curves = page.locator("details.fold", has_text="1-grpo").first
    curves.wait_for()
    assert page.evaluate("document.documentElement.scrollHeight") < 2500
    assert "at step" in curves.locator("summary .note").inner_text()
    assert not page.locator(".plot canvas").count()
    curves.locator("summary").first.click()
    curves.locator(".plot canvas").first.wait_for()
    page.set_viewport_size({"width": 1280, "height": 850})
    page.reload()
    page.locator(".plot canvas").first.wait_for()
