"""A table handed on to another library's settings: unknown names, values that do not fit, and fields that adjudge fills in itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from adjudge_trl import check_foreign_options


@dataclass
class Settings:
    """Settings as other libraries have them."""

    vllm_mode: str = "colocate"
    warmup: float = 0.0
    fsdp: dict[str, Any] | str | None = None
    output_dir: str = "out"
    plugin: Elsewhere | None = None  # type: ignore[name-defined]  # noqa: F821
    made: int = field(default=0, init=False)


OURS = {"output_dir": "write 'out'"}


def check(table: dict[str, Any]) -> dict[str, Any]:
    return check_foreign_options(table, lambda: Settings, OURS)


def mistakes(table: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        check(table)
    return {".".join(map(str, item["loc"])): item["msg"] for item in caught.value.errors()}


def test_what_fits_is_handed_on() -> None:
    table = {"vllm_mode": "server", "fsdp": {"version": 2}, "plugin": "anything, for its type cannot be told"}
    assert check(table) == table


def test_numbers_that_yaml_takes_for_texts_become_numbers() -> None:
    assert check({"warmup": "1e-2"}) == {"warmup": 0.01}


def test_every_mistake_is_told_at_its_place() -> None:
    found = mistakes({"vllm_moed": "server", "warmup": "much", "output_dir": "x", "made": 1, "vllm_mode": "server"})
    assert found == {
        "vllm_moed": "Settings has no such field; did you mean 'vllm_mode'?",
        "warmup": "Input should be a valid number, unable to parse string as a number",
        "output_dir": "adjudge sets this itself: write 'out'",
        "made": "Settings has no such field",
    }


def test_a_field_of_ours_is_never_the_one_that_was_meant() -> None:
    assert mistakes({"output_dri": "x"}) == {"output_dri": "Settings has no such field"}


def test_settings_that_are_not_asked_for_are_not_imported() -> None:
    def must_not() -> type:
        raise AssertionError

    assert check_foreign_options({}, must_not, OURS) == {}
    with pytest.raises(ValidationError, match="write 'out'"):
        check_foreign_options({"output_dir": "x"}, must_not, OURS)


def test_without_the_library_only_our_own_fields_are_known() -> None:
    def absent() -> type:
        raise ModuleNotFoundError("no trl")

    assert check_foreign_options({"vllm_moed": "server"}, absent, OURS) == {"vllm_moed": "server"}
