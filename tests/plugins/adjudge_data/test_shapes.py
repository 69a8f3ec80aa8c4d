"""Rows in the shapes that people have: each gives the prompt and the answers that a person reads in it, or the reason why not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import DataError, Dataset, Plugins, Problem, RowError, problem_in
from adjudge_data import compared, conversation_text

PLUGINS = Plugins.load(autoload=False)
Row = dict[str, Any]


def user(text: Any) -> Row:
    return {"role": "user", "content": text}


def says(text: Any, **more: Any) -> Row:
    return {"role": "assistant", "content": text, **more}


def part(text: str, **more: Any) -> Row:
    return {"type": "text", "text": text, **more}


def call(name: str, arguments: Any) -> Row:
    return {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}


SYSTEM = {"role": "system", "content": "Be brief."}
ASKED = "System: Be brief.\n\nUser: 2+3"

VOTE = {"prompt": "2+3", "response_a": "6", "response_b": "5", "winner_model_a": 0, "winner_model_b": "1", "winner_tie": 0.0}
"""As rows of a CSV file or of Parquet have it."""
SHAPES: dict[str, tuple[Row, str, tuple[str, ...]]] = {
    "plain": ({"prompt": "2+3", "chosen": "5", "rejected": "6"}, "2+3", ("5", "6")),
    "texts stay texts": ({"prompt": "7", "chosen": "42", "rejected": "null"}, "7", ("42", "null")),
    "answers": ({"prompt": "2+3", "answers": ["5", "6"]}, "2+3", ("5", "6")),
    "answers as messages": ({"prompt": [user("2+3")], "answers": [says("5"), [says("6")], "7"]}, "2+3", ("5", "6", "7")),
    "conversational": ({"prompt": [user("2+3")], "chosen": [says("5")], "rejected": [says("6")]}, "2+3", ("5", "6")),
    "conversational with a system turn": (
        {"prompt": [SYSTEM, user("2+3")], "chosen": [says("5")], "rejected": [says("6")]},
        ASKED,
        ("5", "6"),
    ),
    "message objects": ({"prompt": user("2+3"), "chosen": says("5"), "rejected": says("6")}, "2+3", ("5", "6")),
    "implicit": ({"chosen": [user("2+3"), says("5")], "rejected": [user("2+3"), says("6")]}, "2+3", ("5", "6")),
    "implicit beside messages": (
        {"chosen": [user("2+3"), says("5")], "rejected": [user("2+3"), says("6")], "messages": [user("2+3"), says("5")]},
        "2+3",
        ("5", "6"),
    ),
    "implicit dialogue": (
        {"chosen": "\n\nHuman: 2+3\n\nAssistant: 55", "rejected": "\n\nHuman: 2+3\n\nAssistant: 56"},
        "2+3",
        ("55", "56"),
    ),
    "implicit dialogue of more turns": (
        {
            "chosen": "\n\nHuman: 1+1\n\nAssistant: 2\n\nHuman: And 2+3?\n\nAssistant: It is\n\n5.",
            "rejected": "\n\nHuman: 1+1\n\nAssistant: 2\n\nHuman: And 2+3?\n\nAssistant: 6.",
        },
        "User: 1+1\n\nAssistant: 2\n\nUser: And 2+3?",
        ("It is\n\n5.", "6."),
    ),
    "a dialogue's prompt of its own": (
        {"prompt": "\n\nHuman: 2+3\n\nAssistant:", "chosen": " 5", "rejected": " 6"},
        "\n\nHuman: 2+3\n\nAssistant:",
        (" 5", " 6"),
    ),
    "dialogues that repeat their prompt": (
        {
            "prompt": "\n\nHuman: 2+3\n\nAssistant:",
            "chosen": "\n\nHuman: 2+3\n\nAssistant: 5",
            "rejected": "\n\nHuman: 2+3\n\nAssistant: 6",
        },
        "2+3",
        ("5", "6"),
    ),
    "ultrafeedback": (
        {"prompt": "2+3", "chosen": [user("2+3"), says("5")], "rejected": [user("2+3"), says("6")], "score_chosen": 8.5},
        "2+3",
        ("5", "6"),
    ),
    "ultrafeedback with a system turn": (
        {"prompt": " 2+3\n", "chosen": [SYSTEM, user("2+3"), says("5")], "rejected": [SYSTEM, user("2+3"), says("6")]},
        ASKED,
        ("5", "6"),
    ),
    "a conversation that is repeated": (
        {"prompt": [SYSTEM, user("2+3")], "chosen": [SYSTEM, user("2+3"), says("5")], "rejected": [SYSTEM, user("2+3"), says("6")]},
        ASKED,
        ("5", "6"),
    ),
    "text prompt, end turns": ({"prompt": "2+3", "chosen": [says("5")], "rejected": [says("6")]}, "2+3", ("5", "6")),
    "sharegpt": (
        {
            "conversations": [{"from": "human", "value": "2+3"}],
            "chosen": {"from": "gpt", "value": "5"},
            "rejected": {"from": "gpt", "value": "6"},
        },
        "2+3",
        ("5", "6"),
    ),
    "sharegpt with a system turn": (
        {
            "conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "2+3"}],
            "chosen": {"from": "gpt", "value": "5"},
            "rejected": {"from": "gpt", "value": "6"},
        },
        ASKED,
        ("5", "6"),
    ),
    "several rejected": ({"prompt": "2+3", "chosen": "5", "rejected": ["6", "7"]}, "2+3", ("5", "6", "7")),
    "several rejected conversations": (
        {"prompt": [user("2+3")], "chosen": [says("5")], "rejected": [[says("6")], [says("7")]]},
        "2+3",
        ("5", "6", "7"),
    ),
    "several rejected, implicit": (
        {"chosen": [user("2+3"), says("5")], "rejected": [[user("2+3"), says("6")], [user("2+3"), says("7")]]},
        "2+3",
        ("5", "6", "7"),
    ),
    "content parts": (
        {"prompt": [user([part("2"), part("+3", image=None)])], "chosen": [says([part("5")])], "rejected": [says(["6"])]},
        "2+3",
        ("5", "6"),
    ),
    "tool calls": (
        {
            "prompt": [user("2+3")],
            "chosen": [says(None, tool_calls=[call("add", {"a": 2, "b": 3})])],
            "rejected": [says("I add.", tool_calls=[call("add", '{"a":2}'), call("add", None)])],
        },
        "2+3",
        ('Tool call: add({"a": 2, "b": 3})', 'I add.\n\nTool call: add({"a":2})\n\nTool call: add({})'),
    ),
    "tool calls with their results": (
        {
            "prompt": [user("2+3")],
            "chosen": [says("", tool_calls=[call("add", {"a": 2})]), {"role": "tool", "content": "5"}, says("5")],
            "rejected": [says("6", function_call={"name": "guess", "arguments": "{}"})],
        },
        "2+3",
        ('Assistant: Tool call: add({"a": 2})\n\nTool: 5\n\nAssistant: 5', "6\n\nTool call: guess({})"),
    ),
    "tools": (
        {"prompt": "2+3", "chosen": "5", "rejected": "6", "tools": [{"name": "add"}, {"name": "mul"}]},
        'Tools: {"name": "add"}\n{"name": "mul"}\n\nUser: 2+3',
        ("5", "6"),
    ),
    "tools as JSON": (
        {"prompt": "2+3", "chosen": "5", "rejected": "6", "tools": '[{"name": "add"}]'},
        'Tools: {"name": "add"}\n\nUser: 2+3',
        ("5", "6"),
    ),
    "a system column": ({"system": "Be brief.", "prompt": "2+3", "chosen": "5", "rejected": "6"}, ASKED, ("5", "6")),
    "a system column that is repeated": (
        {"system": "Be brief.", "prompt": [SYSTEM, user("2+3")], "chosen": "5", "rejected": "6"},
        ASKED,
        ("5", "6"),
    ),
    "nothing in the columns of others": (
        {
            "prompt": None,
            "system": "",
            "tools": None,
            "images": [],
            "answers": None,
            "chosen": [{**user("2+3"), "tool_calls": None, "name": None}, {**says("5"), "tool_calls": [], "images": None}],
            "rejected": [{**user("2+3"), "tool_calls": None, "name": None}, {**says("6"), "tool_calls": [], "images": None}],
        },
        "2+3",
        ("5", "6"),
    ),
    "a vote": ({"prompt": "2+3", "response_a": "6", "response_b": "5", "winner": "model_b"}, "2+3", ("6", "5")),
    "a vote on conversations": (
        {"conversation_a": [user("2+3"), says("6")], "conversation_b": [user("2+3"), says("5")], "winner": "tie (bothbad)"},
        "2+3",
        ("6", "5"),
    ),
    "a vote in three columns": (VOTE, "2+3", ("6", "5")),
    "a vote in three columns on turns": (
        {**VOTE, "prompt": '["2+3", "sure?"]', "response_a": '["6", "yes"]', "response_b": ["5", "yes!"]},
        "2+3",
        ("Assistant: 6\n\nUser: sure?\n\nAssistant: yes", "Assistant: 5\n\nUser: sure?\n\nAssistant: yes!"),
    ),
    "a vote in three columns on one turn": (
        {**VOTE, "prompt": '["2+3"]', "response_a": '["6"]', "response_b": '["5"]'},
        "2+3",
        ("6", "5"),
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_row_is_read_as_a_person_reads_it(name: str) -> None:
    row, prompt, answers = SHAPES[name]
    before = json.dumps(row)
    found = compared(row)
    assert (found.prompt, found.answers) == (prompt, answers)
    assert problem_in(row, pairs=False).answers == answers  # as judge, rank and score read it
    assert json.dumps(row) == before


REFUSED: dict[str, tuple[Row, str]] = {
    "images": (
        {"prompt": "2+3", "chosen": "5", "rejected": "6", "images": ["a.png"]},
        "has 'images', and a judge of texts is not shown them",
    ),
    "an image in a message": (
        {"prompt": [user([part("2+3"), {"type": "image"}])], "chosen": "5", "rejected": "6"},
        "has a message in 'prompt' with a content part of the type 'image'",
    ),
    "reasoning beside the content": (
        {"prompt": "2+3", "chosen": [says("5", reasoning_content="so")], "rejected": [says("6")]},
        "has a message in 'chosen' with 'reasoning_content'",
    ),
    "null content": (
        {"prompt": "2+3", "chosen": [says(None)], "rejected": [says("6")]},
        "has a message in 'chosen' without the texts 'role' and 'content'",
    ),
    "a call without a name": (
        {"prompt": "2+3", "chosen": [says("", tool_calls=[{}])], "rejected": "6"},
        "has a message in 'chosen' with a tool call without",
    ),
    "an unknown speaker": (
        {"conversations": [{"from": "narrator", "value": "2+3"}], "chosen": "5", "rejected": "6"},
        "has a message in 'conversations' from 'narrator'",
    ),
    "two systems": (
        {"system": "Be long.", "prompt": [SYSTEM, user("2+3")], "chosen": "5", "rejected": "6"},
        "has a field 'system' that says something else",
    ),
    "a system that is no text": (
        {"system": ["Be brief."], "prompt": "2+3", "chosen": "5", "rejected": "6"},
        "has a field 'system' that is a list, not a text",
    ),
    "tools that are no JSON": (
        {"prompt": "2+3", "chosen": "5", "rejected": "6", "tools": "add"},
        "has a field 'tools' that is a text and no JSON",
    ),
    "two prompts": (
        {"prompt": "1+1", "chosen": [user("2+3"), says("5")], "rejected": [user("2+3"), says("6")]},
        "has a 'prompt' that is a text and says something else",
    ),
    "one conversation, one text": (
        {"prompt": "2+3", "chosen": [user("2+3"), says("5")], "rejected": "6"},
        "has a 'prompt' that is a text, and conversations that do not go on from it",
    ),
    "no common beginning": (
        {"chosen": [user("2+3"), says("5")], "rejected": [user("3+2"), says("6")]},
        "do not begin with one conversation",
    ),
    "answers in a row": (
        {"prompt": "2+3", "chosen": [says("5")], "rejected": [says("6"), says("7")]},
        "has in 'rejected' messages of the assistant alone",
    ),
    "unpaired": ({"prompt": "2+3", "completion": "5", "label": True}, "one 'completion' with its label (TRL's unpaired preference)"),
    "prompt and completion": ({"prompt": [user("2+3")], "completion": [says("5")]}, "it has a prompt and one 'completion'"),
    "one conversation": ({"messages": [user("2+3"), says("5")]}, "it is one conversation"),
    "a prompt alone": ({"prompt": "2+3"}, "has no field 'answers'"),
    "nothing": ({"text": "2+3"}, "has no field 'prompt' (it has: text)"),
    "an unknown winner": (
        {"prompt": "2+3", "response_a": "6", "response_b": "5", "winner": "model_c"},
        "has the winner 'model_c', which is none of model_a, a, model_b, b, tie",
    ),
    "a winner of nothing": (
        {"prompt": "2+3", "winner": "tie"},
        "has a winner and none of these to compare: conversation_a and conversation_b, or",
    ),
    "two winners in three columns": ({**VOTE, "winner_tie": 1}, "has 2 winners in winner_model_a, winner_model_b, winner_tie"),
    "no winner in three columns": ({**VOTE, "winner_model_b": 0}, "has 0 winners in winner_model_a"),
    "half a winner": ({**VOTE, "winner_model_b": 0.5}, "has 0.5 in 'winner_model_b', which is 0 or 1"),
    "a turn without its reply": ({**VOTE, "prompt": '["2+3"]', "response_a": "[]", "response_b": '["5"]'}, "has 1 turns in 'prompt' and 0"),
    "a reply that is null": ({**VOTE, "prompt": '["2+3"]', "response_a": "[null]", "response_b": '["5"]'}, "has a turn that is no text"),
    "no winner": ({"prompt": "2+3", "response_a": "6", "response_b": "5", "winner": None}, "has the winner None"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_shown_or_compared_is_refused_with_the_reason(name: str) -> None:
    row, reason = REFUSED[name]
    with pytest.raises(RowError, match=re.escape(reason)):
        compared(row)


# TRL ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "conversational",
        "conversational with a system turn",
        "implicit",
        "ultrafeedback",
        "ultrafeedback with a system turn",
        "text prompt, end turns",
        "tool calls with their results",
    ],
)
def test_the_prompt_is_where_trl_finds_it(name: str) -> None:
    data_utils = pytest.importorskip("trl.data_utils")
    row, prompt, answers = SHAPES[name]
    theirs = data_utils.maybe_extract_prompt(row)
    if name == "text prompt, end turns":  # TRL drops such a prompt
        assert theirs["prompt"] == []
        return
    assert conversation_text(theirs["prompt"]) == prompt
    assert (conversation_text(theirs["chosen"]), conversation_text(theirs["rejected"])) == answers


turns = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.sampled_from("abc")), min_size=1, max_size=4)


@given(shared=turns, one=turns, other=turns)
def test_conversations_part_where_trl_parts_them(shared: Any, one: Any, other: Any) -> None:
    data_utils = pytest.importorskip("trl.data_utils")
    row = {
        name: [{"role": role, "content": text} for role, text in [*shared, *tail]] for name, tail in (("chosen", one), ("rejected", other))
    }
    theirs = data_utils.maybe_extract_prompt(row)
    try:
        ours = compared(row)
    except RowError as error:
        ours, reason = None, str(error)
    if ours is None:
        assert not theirs["prompt"] or "of the assistant alone" in reason
        return
    assert ours.prompt == conversation_text(theirs["prompt"])
    assert ours.answers == (conversation_text(theirs["chosen"]), conversation_text(theirs["rejected"]))


TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}"
)


@pytest.mark.parametrize("name", ["content parts", "conversational with a system turn", "conversational"])
def test_every_text_that_trls_template_shows_is_shown(name: str) -> None:
    data_utils, transformers = pytest.importorskip("trl.data_utils"), pytest.importorskip("transformers")
    row, prompt, answers = SHAPES[name]
    row = {**row, "rejected": [says(answers[1])]}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=_words(), chat_template=TEMPLATE)
    theirs = data_utils.maybe_apply_chat_template(row, tokenizer)
    said = re.split(r"<\w+>", theirs["prompt"] + theirs["chosen"])
    assert [re.sub(r"^\w+: ", "", text) for text in [*prompt.split("\n\n"), answers[0]]] == said[1:]


def _words() -> Any:
    from tokenizers import Tokenizer, models

    return Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))


# Dialogues ----------------------------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
    lambda text: not re.search(r"\n\n(Human|Assistant):", f"\n\n{text}\n\n")
)


@given(said=st.lists(words.map(str.strip), min_size=1, max_size=5), chosen=words, rejected=words)
def test_a_dialogue_is_the_conversation_that_it_says(said: list[str], chosen: str, rejected: str) -> None:
    said = said if len(said) % 2 else said[1:] or ["?"]
    roles = ["user" if place % 2 == 0 else "assistant" for place in range(len(said))]
    told = "".join(f"\n\n{'Human' if role == 'user' else 'Assistant'}: {text}" for role, text in zip(roles, said, strict=True))
    if chosen == rejected or len(said) % 2 == 0:
        return
    found = compared({name: f"{told}\n\nAssistant: {text}" for name, text in (("chosen", chosen), ("rejected", rejected))})
    assert found.prompt == conversation_text([{"role": role, "content": text} for role, text in zip(roles, said, strict=True)])
    assert found.answers == (chosen, rejected)


# Data sets ----------------------------------------------------------------------------------------------------------------


def load(file: Path, rows: list[Row], use: str = "preference", **options: Any) -> list[Problem]:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(PLUGINS.pick(Dataset, use)(file=file, **options).load())


def right_and_wrong(problem: Problem) -> tuple[str, str]:
    assert problem.label is not None
    return problem.answers[problem.label], problem.answers[1 - problem.label]


def test_several_rejected_are_all_pairs_or_the_best_and_the_worst(tmp_path: Path) -> None:
    row = {"prompt": "2+3", "chosen": "5", "rejected": ["6", "7", "8"], "id": "q"}
    every = load(tmp_path / "rows.jsonl", [row])
    assert [right_and_wrong(problem) for problem in every] == [("5", "6"), ("5", "7"), ("5", "8")]
    assert [problem.id for problem in every] == ["q:1", "q:2", "q:3"]
    [one] = load(tmp_path / "rows.jsonl", [row], pairs="best-worst")
    assert (right_and_wrong(one), one.id) == (("5", "8"), "q")


def test_labelled_answers_are_preferences_too(tmp_path: Path) -> None:
    found = load(tmp_path / "rows.jsonl", [{"prompt": "2+3", "answers": ["6", "5", "7"], "label": 1}])
    assert [right_and_wrong(problem) for problem in found] == [("5", "6"), ("5", "7")]
    with pytest.raises(DataError, match="line 1 has no 'label', so none of its answers is the chosen one"):
        load(tmp_path / "rows.jsonl", [{"prompt": "2+3", "answers": ["6", "5"]}])


def test_a_vote_has_its_winner_and_a_tie_no_label(tmp_path: Path) -> None:
    votes = [
        {"prompt": f"{name}?", "response_a": "x", "response_b": "y", "winner": name}
        for name in ("model_a", "model_b", "tie", "both_bad", "B")
    ]
    found = load(tmp_path / "rows.jsonl", votes)
    assert [None if problem.label is None else problem.answers[problem.label] for problem in found] == ["x", "y", None, None, "y"]


def test_a_vote_in_three_columns_of_a_csv_file_has_its_winner(tmp_path: Path) -> None:
    rows = tmp_path / "votes.csv"
    head = "id,prompt,response_a,response_b,winner_model_a,winner_model_b,winner_tie\n"
    rows.write_text(head + """1,"[""2+3""]","[""5""]","[""6""]",1,0,0\n2,"[""3+3""]","[""5""]","[""6""]",0,1,0\n3,1+1,2,two,0,0,1\n""")
    found = list(PLUGINS.pick(Dataset, "preference")(file=rows).load())
    assert [(one.prompt, None if one.label is None else one.answers[one.label]) for one in found] == [
        ("2+3", "5"),
        ("3+3", "6"),
        ("1+1", None),
    ]


def test_pairs_of_identical_answers_are_left_out_told_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same, other = {"prompt": "2+3", "chosen": "5", "rejected": "5"}, {"prompt": "2+3", "chosen": "5", "rejected": ["5", "6"]}
    conversation = {name: [user("2+3"), says("5")] for name in ("chosen", "rejected")}
    assert [right_and_wrong(problem) for problem in load(tmp_path / "rows.jsonl", [same, other, conversation])] == [("5", "6")]
    told = capsys.readouterr().err
    assert "rows.jsonl: 3 pairs left out; the first: line 1 has two identical answers" in told
    rows = [{"prompt": "2+3", "answers": answers, "label": 0} for answers in (["5", "6"], ["5", "5"], ["5", "6", "5"])]
    assert len(load(tmp_path / "rows.jsonl", rows, use="jsonl")) == 1
    assert "2 pairs left out; the first: line 2" in capsys.readouterr().err
    with pytest.raises(DataError, match="the data set is empty"):
        load(tmp_path / "rows.jsonl", [same])


def test_columns_have_the_datas_own_names(tmp_path: Path) -> None:
    row = {"question": "2+3", "good": "5", "bad": "6", "images": ["a.png"], "nr": 7}
    [found] = load(
        tmp_path / "rows.jsonl", [row], columns={"prompt": "question", "chosen": "good", "rejected": "bad", "images": None, "id": "nr"}
    )
    assert (found.prompt, right_and_wrong(found), found.id) == ("2+3", ("5", "6"), "7")
    listed = {"prompt": "2+3", "response_0": "6", "response_1": "5", "better_response_id": 1}
    [found] = load(
        tmp_path / "rows.jsonl", [listed], use="jsonl", columns={"answers": ["response_0", "response_1"], "label": "better_response_id"}
    )
    assert right_and_wrong(found) == ("5", "6")
    swapped = {"prompt": "2+3", "chosen": "6", "rejected": "5"}
    [found] = load(tmp_path / "rows.jsonl", [swapped], columns={"chosen": "rejected", "rejected": "chosen"})
    assert right_and_wrong(found) == ("5", "6")
    with pytest.raises(DataError, match=r"line 1 has no field 'query', which 'columns' names \(it has: question"):
        load(tmp_path / "rows.jsonl", [row], columns={"prompt": "query"})


@pytest.mark.parametrize("label", [1.0, "1", True, -1, 2, [1]])
@pytest.mark.parametrize("pairs", [True, False])
def test_a_label_that_is_no_answers_index_is_refused_by_every_command(label: Any, pairs: bool) -> None:
    with pytest.raises(RowError, match="has the label"):
        problem_in({"prompt": "2+3", "answers": ["5", "6"], "label": label}, pairs=pairs)
    assert problem_in({"prompt": "2+3", "answers": ["5", "6"], "label": label}, pairs=pairs, columns={"label": None}).label is None


def test_an_arenas_vote_without_one_of_its_columns_is_told() -> None:
    row = {name: value for name, value in VOTE.items() if name != "winner_tie"}
    with pytest.raises(RowError, match="an arena's vote without 'winner_tie'"):
        problem_in(row, pairs=True)
