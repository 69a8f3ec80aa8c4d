"""Who reads docs/choosing-paths.md is led to every table about choosing without labels."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "choosing-paths.md"
LINK = re.compile(r"\]\(([^)#:\s]+\.md)")


def linked(page: Path) -> set[Path]:
    """The pages and tables that a page links to."""
    return {(page.parent / target).resolve() for target in LINK.findall(page.read_text(encoding="utf-8"))}


def test_every_table_is_shown_or_named_there_or_on_a_page_of_documents_that_it_links_to() -> None:
    pages = {PAGE, *(page for page in linked(PAGE) if page.parent == PAGE.parent)}
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    reached = set[Path]().union(*map(linked, pages))
    tables = {file.resolve() for file in (ROOT / "benchmarks" / "results").glob("without_labels_*.md")}
    assert len(tables) > 10
    assert [file.name for file in sorted(tables - reached) if f"<!-- results/{file.stem}.md -->" not in text] == []
