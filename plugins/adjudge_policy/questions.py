"""What a policy stage asks of, and what is wrong with it: its model's chat template, and its questions; told before anything is done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from adjudge import ConfigError, Dataset, Problem, boundary, find_model

from .sources import LabelReward

if TYPE_CHECKING:
    from .policy import Policy


def policy_model(name: str, field: str) -> FilePath:
    """The folder of the policy; raises `ConfigError` that names the stage's field."""
    try:
        folder = find_model(name)
    except ConfigError as error:
        raise ConfigError(f"{field}.model: {str(error).removeprefix('model: ')}") from None
    if folder.is_dir() and not _has_chat_template(folder):
        raise no_chat_template(folder, field)
    return folder


def no_chat_template(folder: FilePath, field: str) -> ConfigError:
    return ConfigError(
        f"{field}.model: the tokenizer of {folder} has no chat template or no end-of-text token.\n"
        "  Remedy: name a model that is asked in chat turns, or set what is missing and save the tokenizer into its folder."
    )


def _has_chat_template(folder: FilePath) -> bool:
    """Whether one is in the folder, or is not to be known without loading the tokenizer."""
    if any((folder / name).exists() for name in ("chat_template.jinja", "chat_template.json", "additional_chat_templates")):
        return True
    try:
        return bool(json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template"))
    except (OSError, ValueError, AttributeError):
        return True


def loaded(dataset: Dataset) -> list[Problem]:
    with boundary(dataset, "load"):
        return list(dataset.load())


def check_questions(options: Policy, train: Sequence[Problem], test: Sequence[Problem], field: str) -> None:
    """Raise `ConfigError` for a test question that is learnt from, and for one without the label that is needed."""
    if shared := {problem.prompt for problem in train} & {problem.prompt for problem in test}:
        raise ConfigError(
            f"{field}.test: {len(shared)} of its questions are also in the data, for example {min(shared)[:80]!r}.\n"
            "  Remedy: give one 'part: train' and the other 'part: test'."
        )
    for name, some in (("test", test), ("data", train if isinstance(options.reward, LabelReward) else [])):
        if unlabelled := [problem.id for problem in some if problem.label is None]:
            raise ConfigError(
                f"{field}.{name}: questions without a label: {len(unlabelled)}, the first is {unlabelled[0]}.\n"
                "  Remedy: give each the index of its right answer, leave test out, or choose another reward than label."
            )
