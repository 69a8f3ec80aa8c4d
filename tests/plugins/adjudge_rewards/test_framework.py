"""A framework that is missing or of another version is told by name, with what to do."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec

import pytest

from adjudge import ConfigError
from adjudge_rewards.framework import tested_with as needs


def test_a_missing_framework_is_one_message_with_the_line_that_installs_it() -> None:
    with pytest.raises(ConfigError, match=r"(?s)no_such_framework is not installed.*pip install no-such-framework"):
        needs("no_such_framework", ">=1", "pip install no-such-framework")


def test_a_version_outside_the_tested_range_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "adjudge"):
        needs("pluggy", ">=99,<100", "pip install pluggy")
        needs("pluggy", ">=99,<100", "pip install pluggy")
    assert len(caplog.messages) == 1
    assert ">=99,<100" in caplog.messages[0]


def test_a_version_within_the_range_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "adjudge"):
        needs("pydantic", ">=2", "pip install pydantic")
    assert not caplog.messages


def test_a_package_whose_distribution_has_another_name_has_a_version(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "adjudge"):
        needs("yaml", ">=99", "pip install PyYAML")
    assert ">=99" in caplog.text


@pytest.mark.parametrize(
    ("adapter", "package", "remedy"),
    [
        ("verl", "verl", "pip install verl"),
        ("verifiers", "verifiers", "pip install verifiers"),
        ("swift", "swift", "pip install ms-swift==4.6.0 msgspec"),
        ("tinker", "tinker_cookbook", "pip install tinker-cookbook"),
        ("rllm", "rllm", "a checkout of rllm-org/rllm"),
        ("open_instruct", "open_instruct", "a checkout of allenai/open-instruct"),
        ("skyrl", "skyrl", "pip install skyrl skyrl-gym"),
    ],
)
def test_an_adapter_says_which_framework_it_misses(adapter: str, package: str, remedy: str) -> None:
    if find_spec(package) is not None:
        pytest.skip(f"{package} is installed here")
    with pytest.raises(ConfigError, match=f"(?s){package} is not installed.*{remedy}"):
        import_module(f"adjudge_rewards.{adapter}")
