"""Every view in Chromium: wide and narrow, light and dark, without a mouse, and in words that say why."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from .conftest import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.slow
"""The run that they look at is trained."""
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCHEMES: tuple[tuple[Literal["light", "dark"], list[str]], ...] = (("light", WCAG), ("dark", ["color-contrast"]))
"""What is asked of a view under each; only colours differ between them."""
ROW, OPEN = ".items a.row", "article.open"


def rows(shown: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (shown / name).read_text().splitlines()]


@pytest.fixture(scope="module")
def views(shown: Path) -> dict[str, str]:
    """Every view with the most that it can show, by name: its link."""
    kept = next(row["id"] for row in rows(shown, "demo/records/2-sft-scores.jsonl") if row["kept"])
    return {
        "runs": "#/",
        "run": "#/runs/demo",
        "broken": "#/runs/broken?with=demo",
        "judgements": "#/runs/demo/judgements?set=graded&sort=-length",
        "judgement": f"#/runs/demo/judgements/2-sft-paths/{kept}?stage=2-sft&set=paths&kept=yes",
        "compare": "#/compare?a=demo%3A0-base&b=demo%3A2-sft",
        "knockout": "#/runs/knockout/tournaments",
        "round-robin": "#/runs/round-robin/tournaments",
        "groups": "#/runs/demo/groups?sort=-spread",
    }


def visit(page: Page, address: str, link: str) -> None:
    """Open a link as someone does who was sent it, and wait for what it shows."""
    page.goto("about:blank")
    page.goto(address + link)
    page.locator("main h1").wait_for(state="attached")


def open_first(page: Page) -> None:
    """Open the first of a list and, of a tournament, the first match."""
    page.locator(ROW).first.click()
    page.locator(f"{OPEN} h2").first.wait_for()
    if page.locator("a.match").count():
        page.locator("a.match").first.click()
        page.locator(".match-open").wait_for()


def wait_for_all(page: Page, view: str) -> None:
    """Wait until a view has the most that it can show."""
    if view in ("compare", "knockout", "round-robin", "groups"):
        open_first(page)
    if view == "judgement":
        page.locator("pre.tokens span").first.wait_for()
    if view in ("run", "broken"):
        page.locator("#main .items a.row").first.wait_for(state="attached")


@pytest.mark.parametrize("width", [1280, 390])
def test_every_view_can_be_read_by_everyone(browser: Browser, address: str, views: dict[str, str], pictures: Path, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed").Axe()
    with browser.new_context(viewport={"width": width, "height": 850}) as context:
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        for view, link in views.items():
            visit(page, address, link)
            wait_for_all(page, view)
            for scheme, rules in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                page.screenshot(path=pictures / f"{view}-{width}-{scheme}.png", full_page=True)
                page.evaluate("document.querySelectorAll('details.fold').forEach(one => { one.open = true })")
                found = axe.run(page, options={"runOnly": rules, "resultTypes": ["violations"]}).response["violations"]
                assert not [(one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"]) for one in found], (view, scheme)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{view} scrolls sideways"


def test_a_run_says_what_it_measured_and_plots_what_changes(window: BrowserContext, address: str, shown: Path) -> None:
    page = window.new_page()
    visit(page, address, "#/runs/demo")
    accuracy = json.loads((shown / "demo/stages/2-sft/result.json").read_text())["evaluation"]["graded"]["accuracy"]
    assert page.locator(".tile .figure").inner_text() == f"{100 * accuracy:.1f}%"
    page.locator(".plot canvas").first.wait_for()
    steps = rows(shown, "demo/records/1-grpo-steps.jsonl")
    if len({row["loss"] for row in steps}) > 1:
        plot = page.get_by_role("img", name=re.compile(r"^loss over the steps of 1-grpo"))
        plot.focus()
        page.keyboard.press("ArrowRight")
        assert page.locator("#said").inner_text().startswith("step 1: ")
    page.get_by_text(re.compile("The same at every step, so not plotted: .*learning rate")).first.wait_for()


def test_a_damaged_run_shows_what_it_has_and_markup_stays_text(window: BrowserContext, address: str) -> None:
    page = window.new_page()
    visit(page, address, "#/runs/broken")
    assert "is damaged" in page.locator(".notice").first.inner_text()
    visit(page, address, "#/runs/broken/judgements")
    page.locator(ROW).first.click()
    page.locator(f"{OPEN} p.asked").first.wait_for()
    assert "<img src=x onerror=" in page.locator(f"{OPEN} p.asked").first.inner_text()
    assert page.locator("main img, main script").count() == 0
    assert page.title() != "taken"


def test_the_reason_for_a_kept_path_is_a_sentence(window: BrowserContext, address: str, shown: Path) -> None:
    page, scores = window.new_page(), rows(shown, "demo/records/2-sft-scores.jsonl")
    kept = next(row for row in scores if row["kept"])
    family = [row for row in scores if row["problem_id"] == kept["problem_id"]]
    visit(page, address, f"#/runs/demo/judgements/2-sft-paths/{kept['id']}")
    said = page.locator(f"{OPEN} .reason").inner_text()
    best = "the highest of the" if len(family) > 1 else "no other path of this problem was scored"
    assert said.startswith(f"This path was kept: its R⋆ is {kept['value']:.4g}")
    assert best in said
    assert "1 is kept" in said
    assert page.locator(f"{OPEN} tr.self").inner_text().startswith("1, this one")


def test_the_reason_for_a_winner_is_a_sentence_and_its_matches_open(window: BrowserContext, address: str) -> None:
    page = window.new_page()
    visit(page, address, "#/runs/round-robin/tournaments")
    open_first(page)
    best = page.locator(f"{OPEN} tbody tr").first
    number = best.locator("summary").inner_text().split(":")[0]
    won = best.locator("td").nth(2).inner_text()
    assert page.locator(f"{OPEN} h2").inner_text().split("\n")[-1].removeprefix("right ").removeprefix("wrong ").startswith(f"{number} (")
    assert f"it won {won} of its 4 matches" in page.locator(f"{OPEN} h2").inner_text()
    assert "intervals" in page.locator(f"{OPEN} .reason").first.inner_text()
    assert page.locator(".match-open details[open] pre").inner_text().strip()
    assert "match=1.1" in page.url


def test_everything_can_be_done_without_a_mouse(window: BrowserContext, address: str) -> None:
    page = window.new_page()
    visit(page, address, "#/runs/demo/judgements")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator(ROW).first.wait_for()
    ids = [one.get_attribute("data-id") for one in page.locator(ROW).all()[:2]]
    for key, place in (("j", 0), ("j", 1), ("k", 0)):
        page.keyboard.press(key)
        page.locator(f"{ROW}[aria-current][data-id='{ids[place]}']").wait_for()
    assert page.url.endswith(f"/judgements/{ids[0]}")
    page.locator("pre.tokens").focus()
    page.keyboard.press("ArrowRight")
    assert re.match(r'^".*": [\d.e−]+, in the reasoning$', page.locator("#said").inner_text())
    page.keyboard.press("/")
    page.keyboard.type("no such text")
    page.wait_for_url(re.compile(r"text=no\+such\+text$"))
    page.get_by_text("Nothing fits these filters.").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.get_by_text("Choose a judgement, or press j").wait_for()


def test_a_filter_is_in_the_link_and_the_link_opens_the_same(window: BrowserContext, address: str, shown: Path) -> None:
    page = window.new_page()
    visit(page, address, "#/runs/demo/judgements")
    page.get_by_label("Stage").select_option("1-grpo")
    page.get_by_label("Verdict", exact=True).select_option("wrong")
    page.get_by_text("More filters").click()
    page.get_by_label("Tokens to").fill("40")
    page.wait_for_url(re.compile("length_max=40"))
    made = [*rows(shown, "demo/records/1-grpo-evaluation-graded.jsonl"), *rows(shown, "demo/records/1-grpo-rollouts.jsonl")]
    tokens = [row["tokens"] if "tokens" in row else row["completion"]["tokens"] for row in made]
    expected = sum(row["right"] is False and count <= 40 for row, count in zip(made, tokens, strict=True))
    page.locator(".pages", has_text=re.compile(rf"^{expected}, ")).wait_for()
    second = window.new_page()
    second.goto(page.url)
    second.locator(".pages", has_text=re.compile(rf"^{expected}, ")).wait_for()
    assert second.get_by_label("Verdict", exact=True).input_value() == "no"
    assert second.get_by_label("Tokens to").input_value() == "40"


def test_two_stages_stand_side_by_side_flips_first(window: BrowserContext, address: str, shown: Path) -> None:
    before, after = (
        {row["problem_id"]: row["right"] for row in rows(shown, f"demo/records/{stage}-evaluation-graded.jsonl")}
        for stage in ("0-base", "2-sft")
    )
    lost = sum(before[name] and not after[name] for name in before)
    gained = sum(after[name] and not before[name] for name in before)
    page = window.new_page()
    visit(page, address, "#/compare?a=demo%3A0-base&b=demo%3A2-sft&set=graded")
    page.locator(ROW).first.wait_for()
    changes = [row.locator(".chip").first.inner_text() for row in page.locator(ROW).all()]
    assert changes == ["lost"] * lost + ["gained"] * gained + changes[lost + gained :]
    assert not {"lost", "gained"} & set(changes[lost + gained :])
    page.keyboard.press("j")
    page.locator(".sides section").nth(1).wait_for()
    prompts = [section.locator("p.asked").first.inner_text() for section in page.locator(".sides > section").all()]
    assert prompts[0] == prompts[1]
