"""A count in words: tokens per second over the last half minute, and the time that is left by tokens and by items."""

from __future__ import annotations

import pytest

from adjudge_report import Count


def judged(tokens: int, ident: str = "1") -> dict[str, object]:
    return {"id": ident, "outcome": "first", "completion": {"text": "so", "tokens": tokens}}


def test_before_anything_is_done_the_speed_is_told_and_what_is_left_at_most() -> None:
    count = Count(began=0.0, total=6, limit=1000)
    count.see(10.0, 500)
    assert count.words(10.0) == "0 of 6, 50 tokens/s, at most 1 min 50 s left"


def test_what_is_left_goes_by_tokens_and_counts_those_of_unfinished_items() -> None:
    count = Count(began=0.0, total=6, limit=1000)
    for ident in ("1", "2"):
        count.add(judged(100, ident))
    count.see(10.0, 300)
    assert (count.finished, count.words(10.0)) == (200, "2 of 6, 30 tokens/s, about 10 s left"), "4 of 100 each, 100 of them there"


def test_items_of_before_a_stop_set_no_pace() -> None:
    count = Count(began=0.0, total=6, limit=1000)
    count.add(judged(100), fresh=False)
    count.see(10.0, 100)
    assert (count.finished, count.words(10.0)) == (0, "1 of 6, 10 tokens/s, at most 8 min 10 s left")


def test_a_speed_is_that_of_the_last_half_minute() -> None:
    count = Count(began=0.0)
    for second in range(0, 100, 5):
        count.see(float(second), 10 * min(second, 50) + 1)
    assert count.speed(95.0) is None, "nothing has come for 45 seconds"
    count.see(100.0, 601)
    assert count.speed(100.0) == pytest.approx(100 / 30)


def test_a_model_that_is_being_loaded_is_not_slow() -> None:
    count = Count(began=0.0)
    for second in range(0, 21, 10):
        count.see(float(second), 0)
    count.see(30.0, 1000)
    assert count.speed(30.0) == pytest.approx(100)


def test_records_of_chosen_paths_are_not_tokens_sampled_again() -> None:
    count = Count(began=0.0)
    count.add({"id": "1", "completion": {"text": "so", "tokens": 100}, "right": True})
    assert count.finished == 0
