"""Skywork's pairs come from JSON Lines, Parquet or a folder; rows that give their label away are left out, counted, and kept on request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adjudge import ConfigError, DataError, Dataset, Plugins, Problem


def row(number: int, source: str = "helpsteer2", **more: Any) -> dict[str, Any]:
    turn = {"role": "user", "content": f"question {number}"}
    said = [{"role": "assistant", "content": f"{text} {number}"} for text in ("good", "bad")]
    return {"chosen": [turn, said[0]], "rejected": [turn, said[1]], "source": source, **more}


ROWS = [row(0), row(1, "magpie_ultra"), row(2, "offsetbias"), row(3, "magpie_ultra"), row(4, "wildguard")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "skywork" / "rows.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(one) + "\n" for one in ROWS))
    return path


def load(plugins: Plugins, data: Path, **options: Any) -> list[Problem]:
    dataset: Dataset = plugins.pick(Dataset, "skywork-80k")(data=str(data), **options)
    return list(dataset.load())


def test_rows_that_give_their_label_away_are_left_out_and_counted(plugins: Plugins, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problems = load(plugins, file)
    assert [(problem.prompt, problem.meta["source"]) for problem in problems] == [
        ("question 0", "helpsteer2"), ("question 2", "offsetbias"), ("question 4", "wildguard"),
    ]  # fmt: skip
    assert all(problem.answers[problem.label or 0].startswith("good") for problem in problems)
    assert "2 of the 5 pairs read, left out: source magpie_ultra, which gives its labels away" in capsys.readouterr().err


def test_the_count_says_that_it_is_of_both_parts_and_of_what_was_read(
    plugins: Plugins, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(plugins, file, limit=2)
    assert "1 of the 3 pairs read, left out" in capsys.readouterr().err
    load(plugins, file, part="train", test_share=0.5)
    assert "2 of the 5 pairs read, of either part, left out" in capsys.readouterr().err


def test_they_can_be_kept(plugins: Plugins, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(load(plugins, file, keep_magpie_ultra=True)) == 5
    assert capsys.readouterr().err == ""


def test_a_pair_is_the_same_problem_as_in_the_preference_format(plugins: Plugins, file: Path) -> None:
    same = list(plugins.pick(Dataset, "preference")(file=file).load())
    kept = load(plugins, file, keep_magpie_ultra=True)
    assert [(one.id, one.prompt, one.answers, one.label) for one in kept] == [(one.id, one.prompt, one.answers, one.label) for one in same]


def test_long_pairs_are_left_out_and_counted(plugins: Plugins, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = {**row(9), "source": "helpsteer2"}
    long["chosen"] = [long["chosen"][0], {"role": "assistant", "content": "x" * 500}]
    with file.open("a") as out:
        out.write(json.dumps(long) + "\n")
    assert len(load(plugins, file, most_characters=100)) == 3
    assert "1 of the 6 pairs read, left out: longer than 100 characters" in capsys.readouterr().err


def test_parquet_and_a_folder_are_read_alike(plugins: Plugins, file: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "parquet" / "data").mkdir(parents=True)
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "parquet" / "data" / "train-0.parquet")
    assert load(plugins, tmp_path / "parquet") == load(plugins, file) == load(plugins, file.parent)


def test_a_broken_parquet_file_is_named(plugins: Plugins, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"rows.parquet: cannot be read as Parquet"):
        load(plugins, tmp_path / "rows.parquet")


def test_a_parquet_row_that_cannot_be_used_has_a_number(plugins: Plugins, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist([row(0), {**row(1), "chosen": []}]), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="row 2 has no field 'chosen'"):
        load(plugins, tmp_path / "rows.parquet")


def test_a_set_without_sources_is_another_set(plugins: Plugins, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({key: value for key, value in row(0).items() if key != "source"}) + "\n")
    with pytest.raises(DataError, match="line 1 has no text in its field 'source'"):
        load(plugins, tmp_path / "rows.jsonl")


def test_rows_that_cannot_be_used_end_the_job_or_are_left_out(plugins: Plugins, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with file.open("a") as out:
        out.write(json.dumps({**row(9), "chosen": []}) + "\n" + json.dumps(row(10)) + "\n")
    with pytest.raises(DataError, match=r"line 6 has no field 'chosen'.*skip_bad_lines: true leaves such rows out"):
        load(plugins, file)
    assert len(load(plugins, file, skip_bad_lines=True)) == 4
    assert "1 of the 7 pairs read, left out: they cannot be used" in capsys.readouterr().err


def test_nothing_there_is_said(plugins: Plugins, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(plugins, tmp_path / "not-there")


def test_train_and_test_share_nothing_and_lose_nothing(plugins: Plugins, file: Path) -> None:
    parts = [{one.id for one in load(plugins, file, part=part, test_share=0.5, keep_magpie_ultra=True)} for part in ("train", "test")]
    assert parts[0] | parts[1] == {one.id for one in load(plugins, file, keep_magpie_ultra=True)}
    assert not parts[0] & parts[1]
