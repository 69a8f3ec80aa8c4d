"""Problems of a data set are read from a file when they are asked for: the same ones, from several threads and processes, and few held."""

from __future__ import annotations

import gc
import json
import os
import resource
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adjudge import Dataset, JobError, Plugins, Problem, Run, RunConfig, validate
from adjudge_data import ById, Chosen, Spool

PLUGINS = Plugins.load(autoload=False)
LONG = "so it is " * 200
"""Some 2 kB of text; thousands of them go past what is kept without a file."""


def problems(count: int) -> Iterator[Problem]:
    for number in range(count):
        yield Problem(f"p{number}", f"{number}: {LONG}", (f"yes {number}", "no"), number % 2, {"level": (number,)})


def rows(file: Path, count: int) -> Path:
    with file.open("w") as out:
        for one in problems(count):
            out.write(json.dumps({"id": one.id, "prompt": one.prompt, "answers": one.answers, "label": one.label}) + "\n")
    return file


@pytest.fixture(scope="module")
def many() -> Spool[Problem]:
    return Spool(problems(4000))


def test_a_sequence_in_a_file_reads_like_a_list(many: Spool[Problem]) -> None:
    whole = list(problems(4000))
    assert list(many) == whole
    assert [many[place] for place in (3999, 0, 17, -1)] == [whole[place] for place in (3999, 0, 17, -1)]
    assert many[3990:4010:3] == whole[3990:4010:3]
    with pytest.raises(IndexError):
        many[4000]


def test_threads_get_the_item_that_each_asked_for(many: Spool[Problem]) -> None:
    places = [number * 7919 % 4000 for number in range(8000)]
    with ThreadPoolExecutor(8) as pool:
        assert [one.id for one in pool.map(many.__getitem__, places)] == [f"p{place}" for place in places]


def test_a_forked_process_reads_without_moving_what_the_other_reads(many: Spool[Problem]) -> None:
    ready, told = os.pipe(), os.pipe()
    if (child := os.fork()) == 0:
        os.write(ready[1], b"1")
        os.write(told[1], b"1" if all(many[place].id == f"p{place}" for place in range(0, 4000, 2)) else b"0")
        os._exit(0)
    os.read(ready[0], 1)
    assert all(many[place].id == f"p{place}" for place in range(3999, 0, -2))
    assert os.read(told[0], 1) == b"1"
    os.waitpid(child, 0)


def test_a_name_given_later_counts_for_an_item_that_was_just_read() -> None:
    few = Spool(problems(3))
    assert few[1].id == "p1"
    few.renamed = {1: "other"}
    assert (few[1].id, few[1].prompt) == ("other", next(iter(few[1:2])).prompt)


def test_problems_by_their_ids_and_some_of_them_by_their_places(many: Spool[Problem]) -> None:
    found = ById(many)
    assert (len(found), found["p12"], "p4000" in found) == (4000, many[12], False)
    assert list(found)[:2] == ["p0", "p1"]
    with pytest.raises(KeyError):
        found["p4000"]
    some = Chosen(many, [5, 3, 8])
    assert [one.id for one in some] == ["p5", "p3", "p8"]
    assert [one.id for one in some[1:]] == ["p3", "p8"]


def test_a_run_holds_some_bytes_of_a_problem_and_not_its_texts(tmp_path: Path) -> None:
    def held(count: int) -> int:
        data = {"use": "jsonl", "file": str(rows(tmp_path / f"{count}.jsonl", count))}
        tests = {"all": {"use": "arithmetic", "size": 5}}
        config = {"out": str(tmp_path / "run"), "model": "adjudge_arithmetic:model", "data": data, "evaluation": {"sets": tests}}
        run = Run(validate(RunConfig, {**config, "stages": []}, PLUGINS, "run.yaml"), PLUGINS)
        gc.collect()
        tracemalloc.start()
        try:
            found, _ = run.load_problems()
            gc.collect()
            now = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert found[count - 1].id == f"p{count - 1}"
        return now

    held(2500)  # what is imported and remembered once; more than stays without a file
    few, more = held(2500), held(4000)
    assert more - few < 16 * 1500


def test_a_mix_draws_what_it_drew_from_lists(tmp_path: Path) -> None:
    file = rows(tmp_path / "rows.jsonl", 40)
    mix: Any = validate(Dataset, {"use": "mix", "parts": {"a": {"data": {"use": "jsonl", "file": str(file)}}}, "size": 5}, PLUGINS, "mix")
    assert [one.id for one in mix.load()] == ["a:p10", "a:p18", "a:p3", "a:p15", "a:p9"]


@pytest.fixture
def limited() -> Iterator[Callable[[int], None]]:
    """Sets how large this process's files may become."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_room_for_temporary_files_is_told_with_their_folder(limited: Callable[[int], None]) -> None:
    limited(6_000_000)
    with pytest.raises(
        JobError, match=rf"^{tempfile.gettempdir()}, where data sets are kept while they are used: File too large.\n  Remedy: "
    ):
        Spool(problems(4000))
