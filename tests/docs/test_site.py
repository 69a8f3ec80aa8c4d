"""The site builds without a broken link, and holds every page and what is told from the code."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="mkdocs is not installed; the extra site has it")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "site.py"), "--to", str(folder)], capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_every_page_is_on_the_site(site: Path) -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md", ROOT / "CHANGELOG.md"]
    missing = [page for page in pages if not (site / page.relative_to(ROOT).with_suffix(".html")).is_file()]
    assert [page.name for page in missing if page.name != "README.md"] == []
    assert (site / "index.html").is_file()


def test_a_command_a_name_and_a_record_are_told_from_the_code(site: Path) -> None:
    commands, names, records = ((site / "reference" / f"{name}.html").read_text() for name in ("commands", "python", "records"))
    assert "--judge" in commands
    assert 'id="rank"' in commands
    assert "Where completions and log-probabilities come from." in names  # the docstring of Engine
    assert "Index of the right (preferred) answer; None when unknown." in records  # below Problem.label


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        for mark in ('src="http', "src='http", 'rel="stylesheet" href="http'):
            assert mark not in page.read_text(), page


def test_search_finds_a_page_of_a_folder_without_a_server(site: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed, so no browser can be driven")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto((site / "docs" / "report.html").as_uri())
        page.locator("input.md-search__input").click()
        page.keyboard.type("tournament knockout")
        found = page.locator(".md-search-result__link", has_text="Tournaments")
        found.first.wait_for(state="attached")
        assert not said
        browser.close()
