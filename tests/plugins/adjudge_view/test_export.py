"""A copy holds what the server would have said, in files that a page can load without one."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import ConfigError
from adjudge_view import Library, export
from adjudge_view.export import fitting
from adjudge_view.query import Wanted

from .made import write_run

SCRIPT = re.compile(r'ADJUDGE_DATA\("([^"]+)", (.*)\)\n', re.DOTALL)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("export")
    run = write_run(folder / "run")
    shutil.copytree(run, folder / "other")
    return Library([run, folder / "other"])


def read(copy: Path) -> dict[str, Any]:
    """All data of a copy by their paths."""
    found = {}
    for file in (copy / "data").rglob("*.js"):
        path, value = SCRIPT.fullmatch(file.read_text(encoding="utf-8")).groups()  # type: ignore[union-attr]
        assert file == copy / "data" / f"{path}.js"
        found[path] = json.loads(value)
    return found


@pytest.fixture(scope="module")
def copied(library: Library, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    page = export(library, tmp_path_factory.mktemp("copies") / "copy")
    return page, read(page.parent)


def test_every_judgement_is_in_the_copy_as_the_server_tells_it(library: Library, copied: tuple[Path, dict[str, Any]]) -> None:
    _, data = copied
    for run in ("run", "other"):
        listed = data[f"runs/{run}/judgements"]
        live = library.judgements(run, Wanted(), 0, 500)
        assert [{**item, "shard": 0} for item in live["items"]] == listed["items"]
        assert (listed["total"], listed["of"]) == (54, 54)
        for item, text in zip(listed["items"], data[f"runs/{run}/texts"]["texts"], strict=True):
            whole = data[f"runs/{run}/judgements-{item['shard']}"][item["id"]]
            assert whole == json.loads(json.dumps(library.judgement(run, item["id"])))
            assert all(part.lower() in text for part in (whole["prompt"], whole["text"], *(one["text"] for one in whole["answers"])))


def test_curves_groups_and_comparisons_are_in_the_copy(library: Library, copied: tuple[Path, dict[str, Any]]) -> None:
    _, data = copied
    assert data["runs/run/curves"] == library.curves("run")
    groups = data["runs/run/groups"]["items"]
    assert [one["id"] for one in groups] == [one["id"] for one in library.groups("run")["items"]]
    for one in groups:
        assert data[f"runs/run/groups-{one['shard']}"][one["id"]] == library.group("run", one["id"])
    pairs = data["runs"]["compares"]
    assert ["run:0-base", "run:1-grpo"] in pairs
    assert ["run:2-sft", "other:0-base"] in pairs
    assert ["run:0-base", "run:2-sft"] in pairs
    assert ["run:0-base", "other:2-sft"] in pairs
    for a, b in pairs:
        compared = data[f"compare/{a.replace(':', '.')}~{b.replace(':', '.')}"]
        assert compared == json.loads(json.dumps(library.compare(a, b)))


def test_the_page_knows_that_it_is_a_copy_and_has_its_files(copied: tuple[Path, dict[str, Any]]) -> None:
    page, _ = copied
    text = page.read_text()
    assert "<script>window.ADJUDGE_EXPORT = true</script>" in text
    named = re.findall(r'(?:src|href)="(static/[^"]+)"', text)
    assert text.index("ADJUDGE_EXPORT") < text.index(next(name for name in named if name.endswith(".js")))
    assert all((page.parent / name).is_file() for name in named)


def test_a_smaller_copy_has_whole_problems_the_same_in_every_stage(library: Library, tmp_path: Path) -> None:
    told: list[str] = []
    data = read(export(library, tmp_path / "small", most=20, tell=told.append).parent)
    assert told == [f"{run['run']}: {run['missing'][-1]}" for run in data["runs"]["runs"]]
    assert all("This copy holds" in text for text in told)
    listed = data["runs/run/judgements"]
    assert (0 < listed["total"] <= 20, listed["of"]) == (True, 54)
    everything = library.judgements("run", Wanted(), 0, 500)["items"]
    problems = {item["problem"] for item in listed["items"]}
    assert [item["id"] for item in listed["items"]] == [item["id"] for item in everything if item["problem"] in problems]
    assert problems == {item["problem"] for item in data["runs/other/judgements"]["items"]}
    held = {item["id"] for item in listed["items"]}
    details = [one for place, part in data.items() if place.startswith("runs/run/judgements-") for one in part.values()]
    assert {one["id"] for one in details} == held
    for one in details:
        linked = [one["previous"], one["next"], *(other["id"] for other in (*one["siblings"], *one["elsewhere"]))]
        assert {ident for ident in linked if ident is not None} <= held
    for place, part in data.items():
        if place.startswith("runs/run/groups-"):
            assert {one["id"] for group in part.values() for one in group["members"]} <= {*held, None}
    compared = data["compare/run.0-base~run.1-grpo"]
    assert compared["of"] == 6
    assert {item["a"]["id"] for item in compared["items"]} <= held
    assert compared["total"] == len(compared["items"])


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(0, 40))
def test_what_is_taken_fits_and_does_not_depend_on_the_order(sizes: list[int], most: int) -> None:
    names = [f"name {place}" for place in range(len(sizes))]
    taken = fitting(sizes, names, most)
    assert not most or sum(sizes[place] for place in taken) <= most
    assert most or len(taken) == len(sizes)
    backwards = fitting(sizes[::-1], names[::-1], most)
    assert {names[place] for place in taken} == {names[::-1][place] for place in backwards}


def test_a_copy_is_replaced_when_asked_and_nothing_else_is_overwritten(library: Library, tmp_path: Path) -> None:
    copy = export(library, tmp_path / "copy").parent
    left = copy / "data" / "runs" / "left.js"
    left.write_text("of a run that is no longer in it")
    with pytest.raises(ConfigError, match=r"has a copy already, of these runs or of others\.\n  Remedy: .*--overwrite"):
        export(library, copy)
    assert left.exists()
    export(library, copy, overwrite=True)
    assert not left.exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for place in (mine, mine / "thesis.txt"):
        with pytest.raises(ConfigError, match="no copy of this page"):
            export(library, place, overwrite=True)
    assert (mine / "thesis.txt").read_text() == "years of work"
