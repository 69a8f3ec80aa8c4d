"""Bad days: judges that fail, servers that are killed, clients that leave or ask twice, and clocks that run out. No reward is invented."""

from __future__ import annotations

import http.client
import json
import os
import random
from collections import Counter
from typing import Any

from .conftest import Make, Reply, Server
from .test_routes import openrlhf, verify


def values(replies: list[Any]) -> list[float]:
    return [one.result().json["rewards"][0] for one in replies]


def test_where_a_fifth_of_the_judgements_fail_every_reward_follows_from_those_that_did_not(make_server: Make) -> None:
    server = make_server("--group-size", "3", failing=0.2)
    rng = random.Random(1)
    groups = [[str(number) for number in rng.sample(range(100, 1000), 3)] for _ in range(50)]
    bodies = [openrlhf(text, f"row {row}") for row, texts in enumerate(groups) for text in texts]
    order = rng.sample(range(150), 150)
    with_place = dict(zip(order, server.all("/openrlhf", [bodies[place] for place in order]), strict=True))
    found = [with_place[place].result() for place in range(150)]
    assert {one.status for one in found} == {200}
    undecided = [one.json["extra_logs"]["adjudge_undecided"] for one in found]
    assert 0 < sum(undecided) == server.metric("adjudge_undecided_total") < 30
    texts, rows = [text for group in groups for text in group], [row for row in range(50) for _ in range(3)]
    whole = server.ask("/v1/reward", {"prompts": ["Which?"] * 150, "completions": texts, "groups": rows}).json
    for row in range(50):
        places = range(3 * row, 3 * row + 3)
        said = [whole["rewards"][place]["value"] for place in places]
        known = [value for value in said if value is not None]
        neutral = sum(known) / len(known) if known else 0.5
        expected = [neutral if value is None else value for value in said]
        assert [found[place].json["rewards"][0] for place in places] == expected


def test_an_engine_that_is_down_is_an_error_and_the_retry_has_the_reward(make_server: Make) -> None:
    server = make_server("--group-size", "2", broken="broken")
    down = server.folder / "broken"
    down.touch()
    refused = [one.result() for one in server.all("/openrlhf", [openrlhf(text) for text in ("3", "9")])]
    assert [(one.status, one.json["error"]["kind"]) for one in refused] == [(503, "judging_failed")] * 2
    assert "the endpoint is down" in refused[0].json["error"]["message"]
    assert server.ask("/v1/reward", {"prompts": ["p"] * 2, "completions": ["3", "9"]}).status == 503
    assert server.ask("/v1/judge", {"prompt": "p", "answers": ["3", "9"]}).status == 503
    down.unlink()
    assert values(server.all("/openrlhf", [openrlhf(text) for text in ("3", "9")])) == [0.0, 1.0]
    assert server.metric("adjudge_failures_total") == 2


def test_where_every_call_about_a_group_fails_there_is_no_number_and_nothing_is_stored(make_server: Make) -> None:
    server = make_server("--group-size", "2", "--state", "groups.db", failing=1.0)
    for _ in range(2):  # the second time, too: what failed is not remembered as judged
        replies = [one.result() for one in server.all("/openrlhf", [openrlhf(text) for text in ("3", "9")])]
        assert [(one.status, one.json["error"]["kind"]) for one in replies] == [(503, "judging_failed")] * 2
    assert server.metric("adjudge_failures_total") == 4


def test_a_server_that_is_killed_in_mid_group_answers_the_retries(make_server: Make) -> None:
    server = make_server("--group-size", "3", "--state", "groups.db")
    early = server.all("/verify", [verify("3", "g", 0), verify("9", "g", 1)], until_answered=True)
    early += server.all("/openrlhf", [openrlhf("3"), openrlhf("9")], until_answered=True)
    server.wait_for("adjudge_queue_samples", 4)
    server.kill()
    server.start()
    late = [*server.all("/verify", [verify("5", "g", 2)]), *server.all("/openrlhf", [openrlhf("5")])]
    assert [one.result().json["reward"] for one in early[:2] + late[:1]] == [0.0, 1.0, 0.5]
    assert values(early[2:] + late[1:]) == [0.0, 1.0, 0.5]
    assert max(Counter(server.judged).values()) <= 2, "each of two groups once"
    assert server.ask("/verify", verify("4", "g", 1)).status == 409, "what came before the end is known"


def test_what_was_judged_before_the_kill_is_not_judged_again(make_server: Make) -> None:
    server = make_server("--group-size", "2", "--state", "groups.db")
    assert values(server.all("/openrlhf", [openrlhf("3"), openrlhf("9")])) == [0.0, 1.0]
    assert [
        one.result().json["reward"] for one in server.all("/verify", [verify("3", "g", 0, group_size=2), verify("9", "g", 1, group_size=2)])
    ] == [0.0, 1.0]
    assert len(server.judged) == 2
    server.kill()
    server.start()
    assert server.ask("/verify", verify("9", "g", 1)).json["reward"] == 1.0
    assert len(server.judged) == 2
    assert values(server.all("/openrlhf", [openrlhf("9"), openrlhf("3")])) == [1.0, 0.0], "a new group of completions that were answered"


def test_a_server_that_is_killed_while_it_judges_judges_once_more(make_server: Make) -> None:
    hold = "hold"
    server = make_server("--group-size", "2", "--state", "groups.db", hold=hold)
    (server.folder / hold).touch()
    asked = server.all("/openrlhf", [openrlhf("3"), openrlhf("9")], until_answered=True)
    server.wait_for("adjudge_judge_samples", 2)
    server.kill()
    (server.folder / hold).unlink()
    server.start()
    assert values(asked) == [0.0, 1.0]
    assert server.metric("adjudge_groups_total") == 1


def leave(server: Server, path: str, body: Any) -> None:
    """Ask, and hang up."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    server.wait_for("adjudge_queue_samples", 1)
    connection.close()
    server.wait_for("adjudge_queue_samples", 0)


def test_a_client_that_leaves_takes_its_completion_along_unless_it_has_a_slot(server: Server) -> None:
    leave(server, "/openrlhf?n=2", openrlhf("1"))
    assert server.metric("adjudge_cohorts_open") == 0
    assert values(server.all("/openrlhf?n=2", [openrlhf("3"), openrlhf("9")])) == [0.0, 1.0]
    leave(server, "/verify", verify("3", "left", 0, group_size=2))
    assert server.ask("/verify", verify("9", "left", 1, group_size=2)).json["reward"] == 1.0
    assert server.ask("/verify", verify("3", "left", 0, group_size=2)).json["reward"] == 0.0


def test_a_client_that_leaves_while_its_group_is_judged_finds_its_reward_later(make_server: Make) -> None:
    server = make_server("--group-size", "2", hold="hold")
    (server.folder / "hold").touch()
    leave_first = http.client.HTTPConnection("127.0.0.1", server.port)
    leave_first.request("POST", "/openrlhf", json.dumps(openrlhf("3")), {"Content-Type": "application/json"})
    server.wait_for("adjudge_queue_samples", 1)
    second = server.all("/openrlhf", [openrlhf("9")])
    server.wait_for("adjudge_judge_samples", 2)
    leave_first.close()
    server.wait_for("adjudge_queue_samples", 1)
    (server.folder / "hold").unlink()
    assert values(second) == [1.0]
    assert server.ask("/openrlhf", openrlhf("3")).json["rewards"] == [0.0]
    assert len(server.judged) == 1


def test_clocks_run_out_for_who_waits_for_siblings_or_for_the_judge(make_server: Make) -> None:
    server = make_server("--group-size", "2", "--collect-seconds", "0.2", "--judge-seconds", "0.2", hold="hold")
    alone = server.ask("/openrlhf", openrlhf("3"))
    assert (alone.status, alone.json["error"]["kind"]) == (503, "incomplete_group")
    assert alone.json["error"]["message"] == "1 of the 2 completions of its group came within 0.2 s"
    (server.folder / "hold").touch()
    late = [one.result() for one in server.all("/openrlhf", [openrlhf("3"), openrlhf("9")])]
    assert [(one.status, one.json["error"]["kind"]) for one in late] == [(503, "judging_late")] * 2
    assert server.ask("/v1/rank", {"prompt": "p", "answers": ["1", "2"]}).json["error"]["kind"] == "judging_late"
    (server.folder / "hold").unlink()
    server.wait_for("adjudge_groups_total", 1)
    assert values(server.all("/openrlhf", [openrlhf("9"), openrlhf("3")])) == [1.0, 0.0], "what came late is not lost"
    assert len(server.judged) == 1


def test_repeated_and_reordered_requests_change_nothing(server: Server) -> None:
    before = server.metric("adjudge_groups_total")
    rng = random.Random(2)
    asked = [(text, f"twice {group}", slot) for group in range(10) for slot, text in enumerate(rng.sample(["3", "5", "9"], 3))]
    twice = rng.sample(asked * 2, 60)
    replies = server.all("/verify", [verify(*one) for one in twice])
    assert [one.result().json["reward"] for one in replies] == [{"3": 0.0, "5": 0.5, "9": 1.0}[text] for text, _, _ in twice]
    assert server.metric("adjudge_groups_total") == before + 10


def test_sigterm_lets_who_waits_be_answered_and_takes_nothing_new(make_server: Make) -> None:
    server = make_server("--group-size", "2", hold="hold")
    (server.folder / "hold").touch()
    judged = server.all("/openrlhf", [openrlhf("3", "a"), openrlhf("9", "a")])
    open_group = server.all("/openrlhf", [openrlhf("3", "b")])
    server.wait_for("adjudge_queue_samples", 3)
    assert server.process is not None
    server.process.terminate()
    while server.ask("/readyz").status != 503:
        pass
    refused: list[Reply] = [server.ask("/openrlhf", openrlhf("3", "c")), server.ask("/v1/rank", {"prompt": "p", "answers": ["1", "2"]})]
    assert [(one.status, one.json["error"]["kind"], "retry-after" in one.headers) for one in refused] == [(503, "stopping", True)] * 2
    rest = server.all("/openrlhf", [openrlhf("9", "b")])  # of a group that was there
    server.wait_for("adjudge_queue_samples", 4)
    (server.folder / "hold").unlink()
    assert values(judged + open_group + rest) == [0.0, 1.0, 0.0, 1.0]
    assert server.process.wait(30) == 0


def test_when_the_time_to_stop_is_over_the_rest_is_told_and_a_judge_that_hangs_is_left(make_server: Make) -> None:
    server = make_server("--group-size", "2", "--drain-seconds", "0.1", "--state", "groups.db", hold="hold")
    (server.folder / "hold").touch()
    waiting = server.all("/openrlhf", [openrlhf("3"), openrlhf("9"), openrlhf("5", "alone")])
    server.wait_for("adjudge_judge_samples", 2)
    server.wait_for("adjudge_queue_samples", 3)
    assert server.terminate() == 0
    assert [(one.result().status, one.result().json["error"]["kind"]) for one in waiting] == [(503, "stopping")] * 3
    (server.folder / "hold").unlink()
    server.start()
    assert values(server.all("/openrlhf", [openrlhf("3"), openrlhf("9")])) == [0.0, 1.0]
    assert os.stat(server.folder / "groups.db").st_mode & 0o077 == 0, "the user's alone"
