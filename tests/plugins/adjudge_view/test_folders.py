"""Whatever is opened shows what it has and says what it lacks; what is no run of ours is refused in one message."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adjudge import Plugins, RunConfig, RunFolder, validate
from adjudge.cli.app import app_of
from adjudge_view import Library

from .made import write_run


def opened(*paths: Path) -> Library:
    library = Library(list(paths))
    library.read_all()
    return library


def only(library: Library) -> dict[str, Any]:
    [run] = library.runs()["runs"]
    return dict(run)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def test_a_finished_run_lacks_nothing(run: Path) -> None:
    told = only(opened(run))
    assert (told["kind"], told["state"], told["missing"]) == ("run", "finished", [])
    assert [stage["name"] for stage in told["stages"]] == ["0-base", "1-grpo", "2-sft"]
    assert told["has"] == {"judgements": 54, "curves": 1, "tournaments": 0, "groups": 4, "kept": True}
    progress = {one["name"]: (one["done"], one["total"]) for one in told["stages"][1]["progress"]}
    assert progress == {"steps": (2, 2), "rollouts": (12, 12), "evaluation-standard": (6, None)}


def test_a_stopped_run_says_which_stages_have_no_result(run: Path) -> None:
    (run / "done.json").unlink()
    shutil.rmtree(run / "stages" / "2-sft")
    told = only(opened(run))
    assert told["state"] == "stopped"
    assert told["missing"] == ["stage 2-sft has no result", "done.json: the run did not come to its end"]
    assert [stage["state"] for stage in told["stages"]] == ["finished", "finished", "waiting"]


def test_a_line_that_was_cut_off_is_told_and_one_that_lacks_its_end_alone_is_read(run: Path) -> None:
    file = run / "records" / "2-sft-paths.jsonl"
    whole = file.read_text()
    file.write_text(whole + whole.splitlines()[0][:-20])
    told = only(opened(run))
    assert told["missing"] == ["2-sft-paths.jsonl ends in the middle of a line, as if its writer was stopped; that line is left out"]
    assert (told["state"], told["has"]["judgements"]) == ("finished", 54)
    file.write_text(whole.removesuffix("\n"))
    library = opened(run)
    assert (only(library)["missing"], only(library)["has"]["judgements"]) == ([], 54)
    row = {**json.loads(whole.splitlines()[0]), "id": "one more"}
    with file.open("a") as data:
        data.write("\n" + json.dumps(row) + "\nnonsense\n")
    library.read_all()
    assert only(library)["has"]["judgements"] == 55
    assert only(library)["missing"] == [f"2-sft-paths.jsonl line {len(whole.splitlines()) + 2} is damaged and left out"]


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="whether a folder is open is told by /proc/locks")
def test_a_run_at_work_is_going_and_is_not_disturbed(tmp_path: Path, embedded: Path) -> None:
    plugins = Plugins.load(autoload=False)
    settings = {"out": str(tmp_path / "run"), "model": str(embedded), "data": "arithmetic", "stages": [{"use": "sft", "scorer": "rstar"}]}
    folder = RunFolder(tmp_path / "run", validate(RunConfig, settings, plugins, "run.yaml"), plugins)
    told = only(opened(tmp_path / "run"))
    folder.close()
    assert (told["state"], told["missing"], told["has"]["kept"]) == ("going", [], False)
    assert [stage["state"] for stage in told["stages"]] == ["going", "waiting"]
    assert only(opened(tmp_path / "run"))["state"] == "stopped"


def broken_config(run: Path) -> str:
    (run / "config.yaml").write_text("stages: [")
    return "config.yaml cannot be read"


def no_config(run: Path) -> str:
    (run / "config.yaml").unlink()
    return "config.yaml is missing"


def config_of_another_shape(run: Path) -> str:
    (run / "config.yaml").write_text("- 1\n")
    return "config.yaml is no mapping"


def broken_result(run: Path) -> str:
    (run / "stages" / "1-grpo" / "result.json").write_text("{")
    return "stages/1-grpo/result.json cannot be read"


def odd_values(run: Path) -> str:
    (run / "config.yaml").write_text("stages: 7\njudge: 3\ndata: [1]\n")
    (run / "manifest.json").write_text('{"starts": [')
    return "manifest.json cannot be read"


@pytest.mark.parametrize("breaking", [broken_config, no_config, config_of_another_shape, broken_result, odd_values])
def test_a_broken_folder_shows_what_it_has(run: Path, breaking: Callable[[Path], str]) -> None:
    said = breaking(run)
    library = opened(run)
    told = only(library)
    assert told["state"] == "broken"
    assert any(said in one for one in told["missing"])
    assert told["has"]["judgements"] == 54
    assert {one["stage"] for one in told["sets"]} == {"0-base", "1-grpo", "2-sft"}
    assert [one["stage"] for one in library.curves("run")["stages"]] == ["1-grpo"]
    assert library.compare("run:0-base", "run:2-sft")["of"] == 6


def test_token_numbers_that_are_gone_leave_the_text(run: Path) -> None:
    for folder in (run / "records").glob("*.tokens"):
        shutil.rmtree(folder)
    library = opened(run)
    shown = library.judgement("run", next(ident for ident in library.indexes["run"].idents if ident.startswith("2-sft-paths/")))
    assert shown["tokens_shown"] is None
    assert shown["prompt"] == "0+0 train"


def test_a_folder_without_records_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("stages: []\n")
    told = only(opened(tmp_path))
    assert "there are no judgements, tournaments or groups" in told["missing"]
    assert [stage["name"] for stage in told["stages"]] == ["0-base"]


def test_a_folder_of_runs_is_all_of_them_under_names_of_their_own(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "other" / "run")
    (tmp_path / "empty").mkdir()
    library = opened(tmp_path, tmp_path / "other")
    assert {name: str(index.source.path) for name, index in library.indexes.items()} == {
        "run": str(run),
        "run-2": str(tmp_path / "other" / "run"),
    }
    assert ("run:2-sft", "run-2:0-base") in library.comparable()


def test_groups_of_a_server_are_read_once_it_has_ended(tmp_path: Path) -> None:
    from adjudge_rewards import CohortStore

    file = tmp_path / "groups.db"
    store = CohortStore(file, "a reward")
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        copy.execute("CREATE TABLE other (x)")
    told = only(opened(file))
    assert told["kind"] == "groups"
    assert any("a server uses it" in one for one in told["missing"])
    store.close()
    disk = sqlite3.connect(file)
    disk.execute("INSERT INTO groups VALUES (1, 'g', 2, 'What is 2+2?')")
    disk.execute("""INSERT INTO completions ("group", number, text, judged, value, reason) VALUES (1, 0, 'four', 1, 1.0, '')""")
    disk.execute("""INSERT INTO completions ("group", number, text, judged, value, reason) VALUES (1, 1, 'five', 1, NULL, 'no vote')""")
    disk.commit()
    disk.close()
    library = opened(file)
    [group] = library.groups("groups.db")["items"]
    assert (group["prompt"], group["size"], group["undecided"], group["reward"]) == ("What is 2+2?", 2, 1, 1.0)
    members = library.group("groups.db", group["id"])["members"]
    assert [(one["text"], one["reward"], one["reason"]) for one in members] == [("four", 1.0, ""), ("five", None, "no vote")]
    assert library.groups("groups.db", text="FIVE")["total"] == 1
    assert library.groups("groups.db", text="six")["total"] == 0
    assert "cannot be read" in only(opened(tmp_path / "copy.db"))["missing"][0]


@pytest.mark.parametrize("words", [["nowhere"], ["empty"], ["notes.txt"], ["empty", "--export", "copy"]])
def test_what_is_no_run_is_refused_in_one_message(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    called = [str(tmp_path / word) if not word.startswith("-") else word for word in words]
    found = CliRunner().invoke(app_of(Plugins.load(autoload=False)), ["view", *called])
    assert found.exit_code == 2
    told = " ".join(found.output.split())
    assert told.startswith(f"adjudge: {tmp_path / words[0]}")
    assert "Remedy:" in told


def test_rows_that_are_no_json_are_told_of(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\nnonsense\n[1]\n' + json.dumps({"id": 1}) + "\n")
    assert only(opened(file))["missing"] == [
        "there are no judgements, tournaments or groups",
        "rows.jsonl line 2, 3 is damaged and left out",
    ]
