"""A mix has its parts in their shares, draws no problem twice, and is the same for the same seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import ConfigError, DataError, Dataset, Plugins, Problem, validate
from adjudge.testing import check_component

PLUGINS = Plugins.load(autoload=False)


def sums(size: int, seed: int = 0) -> dict[str, Any]:
    return {"use": "arithmetic", "levels": [3], "size": size, "seed": seed}


def mix(parts: dict[str, Any], **options: Any) -> Dataset:
    made: Dataset = validate(PLUGINS.pick(Dataset, "mix"), {"use": "mix", "parts": parts, **options}, PLUGINS, "mix")
    return made


def load(parts: dict[str, Any], **options: Any) -> list[Problem]:
    return list(mix(parts, **options).load())


def test_shares_hold_and_the_part_that_is_used_up_first_decides_the_size() -> None:
    problems = load({"many": {"data": sums(100), "share": 5}, "few": {"data": sums(6, seed=1), "share": 1}})
    assert Counter(problem.meta["part"] for problem in problems) == {"many": 30, "few": 6}
    assert len({problem.id for problem in problems}) == 36
    assert all(problem.id.startswith(f"{problem.meta['part']}:") for problem in problems)
    assert "level" in problems[0].meta, "what a part knows besides is kept"


def test_the_same_seed_gives_the_same_mix_and_another_another() -> None:
    parts = {"one": {"data": sums(50)}, "two": {"data": sums(50, seed=1)}}
    ids = [[problem.id for problem in load(parts, size=40, seed=seed)] for seed in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0] != sorted(ids[0]), "parts are shuffled together"


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 40))
def test_a_size_is_met_exactly_and_every_part_is_within_one_of_its_share(shares: list[int], size: int) -> None:
    made: Any = mix({f"p{index}": {"data": "arithmetic", "share": share} for index, share in enumerate(shares)}, size=size)
    counts = made._counts(dict.fromkeys(made.parts, size))
    assert sum(counts.values()) == size
    assert all(abs(counts[f"p{index}"] - size * share / sum(shares)) < 1 for index, share in enumerate(shares))


def test_a_part_that_is_too_small_is_named() -> None:
    with pytest.raises(ConfigError, match=r"parts.few: 5 of its problems are asked for, and it has 3"):
        load({"many": {"data": sums(20)}, "few": {"data": sums(3)}}, size=10)


def test_bad_lines_are_skipped_in_every_part_of_a_mix(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "p", "answers": ["a", "b"]}\n{}\n')
    made = mix({"rows": {"data": {"use": "jsonl", "file": str(file)}}, "sums": {"data": sums(3)}})
    with pytest.raises(DataError, match="line 2 has no field 'answers'"):
        made.load()
    skipping: Any = made.tolerant()
    assert len(skipping.load()) == 2
    assert skipping.parts["rows"].data.skip_bad_lines
    assert skipping.parts["sums"] == made.parts["sums"], "which has no such option"  # type: ignore[attr-defined]
    assert not made.parts["rows"].data.skip_bad_lines  # type: ignore[attr-defined]


def test_a_mix_is_a_component_and_its_mistakes_have_a_place() -> None:
    check_component(mix({"one": {"data": "arithmetic"}}))
    with pytest.raises(ConfigError, match=r"parts.one.data: no data set is called 'arithmetics'; did you mean 'arithmetic'"):
        mix({"one": {"data": "arithmetics"}})
    with pytest.raises(ConfigError, match=r"parts.one.share: Input should be greater than 0"):
        mix({"one": {"data": "arithmetic", "share": 0}})
