"""What a server answers on each of its routes, to clients of its own and to those of RL frameworks."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Server

CHAT = "<|im_start|>user\nWhich?<|im_end|>\n<|im_start|>assistant\n"


def openrlhf(answer: str, label: Any = "", prompt: str = CHAT) -> dict[str, Any]:
    return {"query": [f"{prompt}{answer}<|im_end|>\n"], "prompts": [prompt], "labels": [label]}


def verify(answer: str, group: str | None, slot: int | None, **fields: Any) -> dict[str, Any]:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": answer}]}
    named = {} if group is None else {"_ng_group_id": group, "_ng_group_attempt": 0, "_ng_rollout_index": slot}
    asked = {"input": [{"role": "user", "content": "Which?"}]}
    return {"responses_create_params": asked, "response": {"output": [{"type": "reasoning"}, message]}, **named, **fields}


def test_its_own_routes_are_typed(server: Server) -> None:
    asked = {"prompts": ["p"] * 3 + ["q"], "completions": ["3", "13", "9", "7"], "anchors": [None] * 3 + [["5", "8"]]}
    found = server.ask("/v1/reward", asked).json
    assert [one["value"] for one in found["rewards"]] == [0.0, None, 1.0, 0.5]
    assert found["rewards"][1]["reason"] == "none of its judgements could be read: 2 failed"
    assert found["rewards"][3]["absolute"] == 0.5
    assert (found["metrics"]["groups"], found["metrics"]["samples"], found["metrics"]["undecided"]) == (2, 4, 0.25)

    pair = {"prompt": "p", "answers": ["3", "9"]}
    assert [one["outcome"] for one in server.ask("/v1/judge", pair).json["verdicts"]] == ["second"]
    both = {"pairs": [pair, {"prompt": [{"role": "user", "content": "p"}], "answers": ["9", "x"]}]}
    verdicts = server.ask("/v1/judge", both).json["verdicts"]
    assert [one["outcome"] for one in verdicts] == ["second", "unreadable"]
    assert verdicts[1]["judgements"][0]["text"] == "I cannot say."

    ranked = server.ask("/v1/rank", {"prompt": "p", "answers": ["3", "9", "13"]}).json
    assert (ranked["order"][0], ranked["rewards"]) == (1, [0.0, 1.0, None])


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/reward", {"prompts": ["p"], "completions": []}, "there are 1 prompts and 0 completions"),
        ("/v1/reward", {"prompts": ["p"]}, "body.completions: Field required"),
        ("/v1/reward", {"prompts": ["p", "q"], "completions": ["1", "2"], "groups": [1, 1]}, "2 prompts"),
        ("/v1/rank", {"prompt": "p", "answers": ["one"]}, "at least 2"),
        ("/v1/rank", {"prompt": "p", "answers": ["1", "2"], "budget": 3}, "body.budget: Extra inputs are not permitted"),
        ("/v1/reward", {"prompts": ["p"], "completions": ["1"], "anchor": ["2"]}, "body.anchor: Extra inputs are not permitted"),
        ("/v1/judge", {"prompt": "p", "answers": ["1", "2"], "pairs": [{"prompt": "p", "answers": ["1", "2"]}]}, "Extra inputs"),
        ("/openrlhf", openrlhf("1", {"slot": False}), "slot is neither a number nor a text"),
        ("/openrlhf", {"query": ["x"], "prompts": ["p"], "labels": [""]}, "does not begin with its prompt"),
        ("/openrlhf", {"query": ["x"], "prompts": [], "labels": []}, "differ in length"),
        ("/verify", {"responses_create_params": {"input": "p"}, "response": {"output": []}}, "no output of the type 'message'"),
        ("/verify", verify("1", "g", 3), "count from 0"),
        ("/llamafactory", {"messages": ["no marks"]}, "known chat template"),
        ("/llamafactory", {"messages": [f"{CHAT.replace('Which', 'Who')}1"]}, "no reference answer"),
    ],
)
def test_what_cannot_be_used_is_told(server: Server, path: str, body: Any, said: str) -> None:
    reply = server.ask(path, body)
    assert (reply.status, reply.json["error"]["kind"]) == (422, "invalid_request")
    assert said in reply.json["error"]["message"]


def test_openrlhf_sends_one_at_a_time_and_has_marks_in_its_texts(server: Server) -> None:
    replies = [one.result().json for one in server.all("/openrlhf", [openrlhf(text, "train") for text in ("3", "13", "9")])]
    assert [one["rewards"] for one in replies] == [[0.0], [0.5], [1.0]], "undecided: the mean of its group"
    assert [one["scores"] for one in replies] == [[0.0], [0.5], [1.0]]
    assert [one["extra_logs"]["adjudge_undecided"] for one in replies] == [0, 1, 0]
    assert {tuple(one["extra_logs"]) for one in replies} == {("adjudge_undecided", "adjudge_absolute", "adjudge_tokens", "adjudge_seconds")}
    assert all(one["extra_logs"]["adjudge_tokens"] > 0 for one in replies), "a share of the group's"
    pairs = {tuple(pair.split()) for pair in server.judged}
    assert ("3", "9") in pairs or ("9", "3") in pairs, "without the marks"


def test_openrlhfs_filter_sees_shares_against_reference_answers_and_drops_groups_of_equals(server: Server) -> None:
    label = {"answer": ["10", "20"]}
    replies = [one.result().json for one in server.all("/openrlhf", [openrlhf(text, label) for text in ("5", "15", "25")])]
    assert [one["rewards"][0] for one in replies] == [0.0, 0.5, 1.0]
    assert [one["scores"][0] for one in replies] == [0.0, 0.5, 1.0] == [one["extra_logs"]["adjudge_absolute"] for one in replies]
    equal = [one.result().json for one in server.all("/openrlhf", [openrlhf("7", "equal")] * 3)]
    assert [(one["rewards"], one["scores"]) for one in equal] == [([0.5], [0.0])] * 3


def test_a_group_has_the_size_that_the_request_tells(server: Server) -> None:
    evaluated = [openrlhf(text, {"split": "eval"}) for text in ("3", "9")]
    assert [one.result().json["rewards"] for one in server.all("/openrlhf?n=3", evaluated)] == [[0.0], [1.0]]
    named = [openrlhf(text, {"group_size": 2, "group": "own"}) for text in ("3", "9")]
    assert [one.result().json["rewards"] for one in server.all("/openrlhf", named)] == [[0.0], [1.0]]
    assert [one.result().json["rewards"] for one in server.all("/openrlhf?n=2&run=a", [openrlhf(one) for one in "39"])] == [[0.0], [1.0]]
    list_of_all = {"query": [CHAT + text for text in "395"], "prompts": [CHAT] * 3, "labels": ["list"] * 3}
    assert server.ask("/openrlhf", list_of_all).json["rewards"] == [0.0, 1.0, 0.5]


def test_answers_with_the_same_text_are_not_judged_and_stand_in_one_place(server: Server) -> None:
    before = len(server.judged)
    same = {"pairs": [{"prompt": "p", "answers": ["71", "71"]}, {"prompt": "p", "answers": ["71", "72"]}]}
    found = server.ask("/v1/judge", same).json["verdicts"]
    assert [(one["outcome"], len(one["judgements"])) for one in found] == [("tie", 0), ("second", 1)]
    ranked = server.ask("/v1/rank", {"prompt": "same", "answers": ["73", "74", "73"]}).json
    assert (ranked["order"][0], ranked["rewards"], ranked["matches"]) == (1, [0.25, 1.0, 0.25], 1)
    assert ranked["ratings"][0] == ranked["ratings"][2]
    assert len(server.judged) == before + 2
    alike = server.ask("/v1/rank", {"prompt": "same", "answers": ["75", "75"]}).json
    assert alike["rewards"] == [0.5, 0.5]
    assert len(server.judged) == before + 2


def test_slime_has_a_number(server: Server) -> None:
    asked = [{"prompt": [{"role": "user", "content": "Which?"}], "response": text, "label": "9"} for text in ("3", "9", "5")]
    assert [one.result().json for one in server.all("/slime", asked)] == [0.0, 1.0, 0.5]


def test_gym_has_its_row_back_with_a_reward_or_a_mask(server: Server) -> None:
    assert server.ask("/seed_session", {}).json == {}
    replies = [
        one.result().json for one in server.all("/verify", [verify(text, "g", slot, own=1) for slot, text in enumerate(["3", "13", "9"])])
    ]
    assert [one["reward"] for one in replies] == [0.0, 0.5, 1.0]
    assert [one["mask_sample"] for one in replies] == [False, True, False]
    assert (replies[1]["failure_kind"], replies[1]["instance_config"]) == ("judge_undecided", {"mask_sample": True})
    cost = {name: replies[0].pop(name) for name in ("adjudge_tokens", "adjudge_seconds")}
    assert all(value > 0 for value in cost.values())
    assert replies[0] == {**verify("3", "g", 0, own=1), "reward": 0.0, "mask_sample": False, "adjudge_absolute": None}
    assert server.ask("/verify", verify("3", "g", 0)).json["reward"] == 0.0, "asked again"
    assert server.ask("/verify", verify("4", "g", 0)).status == 409
    told = server.all("/verify?n=2", [verify(text, None, None, _ng_task_index=2) for text in "39"])
    assert [one.result().json["reward"] for one in told] == [0.0, 1.0]
    ungrouped = server.all("/ng-rollout/1-0/verify", [verify(text, None, None, _ng_task_index=1) for text in "395"])
    assert [one.result().json["reward"] for one in ungrouped] == [0.0, 1.0, 0.5]


def test_gym_has_the_means_of_its_rollouts(server: Server) -> None:
    rows = [
        {"_ng_task_index": 0, "reward": 1.0, "mask_sample": False, "adjudge_tokens": 4.0, "name": "a"},
        {"_ng_task_index": 0, "reward": 0.0, "mask_sample": False, "adjudge_tokens": 4.0, "other": True},
        {"_ng_task_index": 1, "reward": 0.5, "mask_sample": True, "adjudge_tokens": 1.0},
    ]
    found = server.ask("/aggregate_metrics", {"verify_responses": rows}).json
    assert found["key_metrics"] == {"mean/reward": 0.5, "mean/masked": 1 / 3}
    assert found["agent_metrics"] == {**found["key_metrics"], "mean/adjudge_tokens": 3.0}
    assert found["group_level_metrics"][1] == {"_ng_task_index": 1, "mean/masked": 1.0, "mean/adjudge_tokens": 1.0}


def test_gym_compares_whole_groups(server: Server) -> None:
    asked = {
        "conversation_history": [{"role": "user", "content": "Which?"}],
        "response_objs": [verify(text, None, None)["response"] for text in ("3", "9", "3")],
    }
    found = server.ask("/compare", asked).json
    assert found["rewards"] == [0.25, 1.0, 0.25], "equal ones are judged once"
    [met] = found["comparison_results"]
    assert {met["response_i"]: met["score_1"], met["response_j"]: met["score_2"]} == {0: 0.0, 1: 1.0}


def test_llamafactory_has_scores_against_reference_answers(server: Server) -> None:
    asked = {"model": "model", "messages": [f"{CHAT}{text}<|im_end|>\n" for text in ("5", "15", "25")]}
    assert server.ask("/llamafactory", asked).json == {"scores": [0.0, 0.5, 1.0]}
    assert server.ask("/llamafactory", {"messages": [f"{CHAT}13"]}).status == 503, "there is no number for it"


def test_metrics_are_numbers_without_texts(server: Server) -> None:
    secret = "48151623"
    before = server.metric("adjudge_samples_total")
    server.ask("/v1/reward", {"prompts": [secret] * 2, "completions": [secret, "1"]})
    found = server.ask("/metrics").text
    assert server.metric("adjudge_samples_total") == before + 2
    assert secret not in found
    assert {"adjudge_groups_total", "adjudge_undecided_total", "adjudge_tokens_total", "adjudge_cohorts_open"} <= {
        line.split(" ")[0] for line in found.splitlines()
    }


def test_it_is_alive_and_ready(server: Server) -> None:
    assert (server.ask("/healthz").json, server.ask("/readyz").json) == ({"status": "ok"}, {"status": "ready"})
    assert server.ask("/nowhere").status == 404
