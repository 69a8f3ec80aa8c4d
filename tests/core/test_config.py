"""Run files: every mistake is told with its place, overrides land where they should, and the JSON Schema agrees with validation."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from adjudge import ConfigError, Plugins, RunConfig, dump, load_yaml, override, read_run_file, validate
from adjudge_scaffold import json_schema


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.load(autoload=False)


def run_data(**more: Any) -> dict[str, Any]:
    return {
        "out": "runs/x",
        "model": "model",
        "data": {"use": "preference", "file": "pairs.jsonl"},
        "stages": [{"use": "grpo", "rules": [{"use": "verdict"}]}, {"use": "sft", "scorer": {"use": "rstar"}}],
        "judge": {"use": "rrm"},
        "evaluation": {"sets": {"held-out": {"use": "jsonl", "file": "test.jsonl"}}, "measures": ["format"]},
        **more,
    }


def problems_of(data: Any, plugins: Plugins) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(RunConfig, data, plugins, "run.yaml")
    return str(caught.value)


# Mistakes -----------------------------------------------------------------------------------------------------------------


def test_every_mistake_is_told_at_once_with_its_place(plugins: Plugins) -> None:
    data = run_data(sede=1, seed=-1)
    data["stages"][1]["scorer"]["use"] = "rstr"
    message = problems_of(data, plugins)
    assert message.startswith("run.yaml is not valid:\n")
    assert "  stages.1.scorer: no path scorer is called 'rstr'; did you mean 'rstar'?   (installed: " in message
    assert "  sede: there is no such field" in message
    assert "  seed: Input should be greater than or equal to 0" in message


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("stages.0.rules.0.weight=heavy", "stages.0.rules.0.weight: Input should be a valid number"),
        ("stages.0.rules.0=42", "stages.0.rules.0: say which reward rule, as 'use: NAME'"),
        ("judge.tempersture=1", "judge.tempersture: there is no such field"),
        ("judge.top_p=0", "judge.top_p: Input should be greater than 0"),
        ("evaluation.sets.held-out.part=half", "evaluation.sets.held-out.part: Input should be 'all', 'train' or 'test'"),
        ("evaluation.sets.a/b=jsonl", "evaluation.sets.a/b.[key]: String should match pattern"),
        ("data={use: jsonl}", "data.file: Field required"),
        ("engine={temperature: 1}", "engine.temperature: there is no such field"),
    ],
)
def test_a_mistake_deep_inside_has_its_exact_place(plugins: Plugins, setting: str, message: str) -> None:
    assert f"\n  {message}" in problems_of(override(run_data(), [setting]), plugins)


def test_a_component_of_another_kind_is_unknown(plugins: Plugins) -> None:
    assert "no judge is called 'rstar'" in problems_of(run_data(judge="rstar"), plugins)


def test_what_is_blocked_is_quoted() -> None:
    some = Plugins.load(block=["adjudge_judges"], autoload=False)
    message = problems_of(run_data(), some)
    assert "no judge is called 'rrm'" in message
    assert "blocked: adjudge_judges" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "is not YAML"),
        ("out: x\nseed: 1\ndata: y\nseed: 2", r"the key 'seed' stands there(.|\n)*line 2, column 1(.|\n)*line 4, column 1"),
        ("data: {use: jsonl, file: a, file: b}", "the key 'file' stands there"),
        ('{"out": "x", "out": "y"}', "the key 'out' stands there"),
        ("- a", "a run file is a mapping of fields to values, not list"),
        ("", "a run file is a mapping of fields to values, not NoneType"),
    ],
)
def test_a_file_that_is_no_run_file(plugins: Plugins, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_run_file(file, (), plugins)
    assert str(file) in str(caught.value)


def test_a_mapping_that_is_merged_in_may_be_changed() -> None:
    assert load_yaml("a: &one {k: 1, m: 1}\nb: {<<: *one, k: 2}\n1: x\n'1': y", "it")["b"] == {"k": 2, "m": 1}


def test_a_run_file_that_is_not_there(plugins: Plugins, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: no such run file"):
        read_run_file(tmp_path / "none.yaml", (), plugins)


# Overrides ----------------------------------------------------------------------------------------------------------------


def test_overrides_reach_fields_list_items_and_new_places() -> None:
    data = override(run_data(), ["stages.1.scorer.use=random", "seed=3", "engine.batch=4", "evaluation.measures=[verdict, length]"])
    assert data["stages"][1]["scorer"]["use"] == "random"
    assert (data["seed"], data["engine"], data["evaluation"]["measures"]) == (3, {"batch": 4}, ["verdict", "length"])


def test_a_component_given_by_name_becomes_a_mapping_when_an_option_is_set() -> None:
    assert override({"judge": "rrm"}, ["judge.order=both"]) == {"judge": {"use": "rrm", "order": "both"}}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed", "write it as a.b=value"),
        ("=3", "write it as a.b=value"),
        ("seed={", "is not YAML"),
        ("data={file: a, file: b}", "the key 'file' stands there"),
        ("stages.5.use=sft", "stages is a list of 2; '5' is none of its numbers"),
        ("stages.first.use=sft", "'first' is none of its numbers"),
        ("stages.0.rules.0.weight.x=1", "is a plain value and has no field 'x'"),
    ],
)
def test_an_override_that_leads_nowhere_says_so(setting: str, message: str) -> None:
    data = run_data()
    data["stages"][0]["rules"][0]["weight"] = 1.0
    with pytest.raises(ConfigError) as caught:
        override(data, [setting])
    assert str(caught.value).startswith(f"--set {setting}: ")
    assert message in str(caught.value)


# Round trip ---------------------------------------------------------------------------------------------------------------

judges = st.fixed_dictionaries(
    {"use": st.just("rrm")},
    optional={
        "temperature": st.floats(0, 5),
        "top_p": st.floats(0.01, 1),
        "max_new_tokens": st.integers(1, 10**6),
        "order": st.sampled_from(["random", "both", "fixed"]),
    },
)
file_names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1).filter(lambda name: name.strip(". /") != "")
datasets = st.fixed_dictionaries(
    {"use": st.sampled_from(["jsonl", "preference"]), "file": file_names},
    optional={
        "limit": st.none() | st.integers(1, 10**9),
        "part": st.sampled_from(["all", "train", "test"]),
        "test_share": st.floats(0.001, 0.999),
        "skip_bad_lines": st.booleans(),
    },
)
named = operator.itemgetter("use")
rules = st.fixed_dictionaries({"use": st.sampled_from(["verdict", "format"])}, optional={"weight": st.floats(-10, 10)})
scorers = st.sampled_from(["rstar", "random", {"use": "longest"}])
stages = st.lists(
    st.fixed_dictionaries({"use": st.just("sft"), "scorer": scorers})
    | st.fixed_dictionaries({"use": st.just("grpo")}, optional={"rules": st.lists(rules, min_size=1, unique_by=named)}),
    max_size=4,
)
names = st.text("abcXYZ019_.-", min_size=1)
runs = st.fixed_dictionaries(
    {"out": file_names, "model": st.text(), "data": datasets, "stages": stages},
    optional={
        "judge": st.none() | judges | st.just("rrm"),
        "evaluation": st.fixed_dictionaries(
            {"sets": st.dictionaries(names, datasets, max_size=2), "measures": st.lists(rules, max_size=2, unique_by=named)}
        ),
        "seed": st.integers(0, 2**63),
        "requires": st.lists(st.text(), max_size=2),
    },
)


@given(data=runs)
@example(data=run_data(requires=["a line\x85break of the file format"]))
def test_a_saved_run_reads_back_as_the_same_run(plugins: Plugins, data: dict[str, Any]) -> None:
    config = validate(RunConfig, data, plugins, "generated")
    saved = yaml.safe_dump(dump(config), sort_keys=False)
    again = validate(RunConfig, yaml.safe_load(saved), plugins, "saved")
    assert again == config
    assert dump(again) == dump(config)


def test_options_of_components_are_not_lost_when_saved(plugins: Plugins) -> None:
    config = validate(RunConfig, override(run_data(), ["data.seed=5", "judge.order=both"]), plugins, "run.yaml")
    saved = dump(config)
    assert (saved["data"]["seed"], saved["judge"]["order"], saved["stages"][1]["scorer"]["use"]) == (5, "both", "rstar")


# JSON Schema --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schema(plugins: Plugins) -> dict[str, Any]:
    found = json_schema(plugins)
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def test_the_schema_takes_what_validation_takes(plugins: Plugins, schema: dict[str, Any]) -> None:
    for data in (run_data(), run_data(judge="rrm"), dump(validate(RunConfig, run_data(), plugins, "run.yaml"))):
        jsonschema.validate(data, schema)


@pytest.mark.parametrize(
    "setting",
    ["sede=1", "seed=many", "judge=rmm", "judge.top_p=0", "data.file=[]", "data=preference", "stages.1.scorer.use=rstr", "engine={x: 1}"],
)
def test_the_schema_rejects_what_validation_rejects(plugins: Plugins, schema: dict[str, Any], setting: str) -> None:
    data = override(run_data(), [setting])
    with pytest.raises(ConfigError):
        validate(RunConfig, data, plugins, "run.yaml")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema)
