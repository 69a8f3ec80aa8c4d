"""What a reward over HTTP costs beside its judge: `adjudge serve` and OpenRLHF's own server, both with a judge that takes no time.

``python benchmarks/reward_server.py --peer FOLDER`` measures samples a second and latencies, in turns in one run; FOLDER holds the unpacked
wheel of openrlhf 0.11.2 (``pip download --no-deps openrlhf==0.11.2``). ``--soak MINUTES`` has a thousand clients ask for so long, and
counts groups that were lost or judged twice. Both write ``results/reward_server.json`` and ``.md``, each its own part.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import RESULTS, save, table
from reward_server_client import Connection, request, run

GROUP = 16
PROMPT = "A question of some length, as it stands in a data set of problems with answers. " * 4
ANSWER = "First this is worked out, then that, and so the answer follows step by step from what was given. " * 8
AIM = 2500
"""Samples a second; latencies are measured at half of this, and at half of what the server can do."""
PHASES = itertools.count(0, 10**7)
"""Where requests are counted from: no two phases have a group in common."""
SERVERS = Path(__file__).parent / "reward_server_sides.py"


def started(side: str, *arguments: str) -> tuple[subprocess.Popen[str], int]:
    """A server's process, once it answers, and its port."""
    command = [sys.executable, str(SERVERS), side, *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"{side} did not start: {' '.join(command)}"
    return process, int(line.rsplit(":", 1)[1])


Bodies = Callable[[int], tuple[str, dict[str, Any], int]]
"""The path, the body and the number of completions of a request, by its number."""


def whole_groups(number: int) -> tuple[str, dict[str, Any], int]:
    prompt = f"{PROMPT}{number}"
    return "/v1/reward", {"prompts": [prompt] * GROUP, "completions": [f"{ANSWER}{place}" for place in range(GROUP)]}, GROUP


def openrlhf(path: str, size: int) -> Bodies:
    """What OpenRLHF's client sends, of `size` completions in a request."""

    def body(number: int) -> tuple[str, dict[str, Any], int]:
        places = range(number * size, (number + 1) * size)
        prompts = [f"{PROMPT}{place // GROUP}" for place in places]
        queries = [f"{prompt}{ANSWER}{place}" for prompt, place in zip(prompts, places, strict=True)]
        return path, {"query": queries, "prompts": prompts, "labels": [""] * size}, size

    return body


def processor_seconds(process: subprocess.Popen[str]) -> float:
    """What a server has used of the processor until now."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def throughput(port: int, bodies: Bodies, connections: int, seconds: float) -> float:
    """Completions a second, with as many requests under way as there are connections."""
    end, numbers, done = time.perf_counter() + seconds, itertools.count(next(PHASES)), 0

    async def client() -> None:
        nonlocal done
        connection = await Connection.open(port)
        try:
            while time.perf_counter() < end:
                path, body, size = bodies(next(numbers))
                await connection.ask(request(path, body))
                done += size
        finally:
            connection.close()

    began = time.perf_counter()
    clients = [asyncio.create_task(client()) for _ in range(connections)]
    await asyncio.wait(clients, timeout=seconds)
    took, now = time.perf_counter() - began, done
    for one in clients:  # of the groups that nobody completes any more
        one.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    return now / took


async def latencies(port: int, bodies: Bodies, connections: int, seconds: float, a_second: float) -> list[float]:
    """Milliseconds from when a request was due to its reply, sorted, at a steady rate of requests."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await Connection.open(port))
    found: list[float] = []
    first, requests = next(PHASES), GROUP * max(1, int(seconds * a_second / GROUP))

    async def one(due: float, number: int) -> None:
        path, body, _ = bodies(first + number)
        sent = request(path, body)
        connection = await free.get()
        await connection.ask(sent)
        found.append(time.perf_counter() - due)
        free.put_nowait(connection)

    began, tasks = time.perf_counter(), []
    for number in range(requests):
        due = began + number / a_second
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(due, number)))
    await asyncio.gather(*tasks)
    return sorted(1000 * one for one in found)


def at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def measure(peer: Path | None, seconds: float, turns: int) -> dict[str, Any]:
    """Everything in turns, each server in a process of its own."""
    sides: list[tuple[str, tuple[str, ...], Bodies, int]] = [
        ("adjudge serve, /v1/reward, groups of 16", ("ours",), whole_groups, 8),
        ("adjudge serve, /v1/reward, its tournament played on replayed judgements", ("ours", "--tournament"), whole_groups, 8),
        ("adjudge serve, /openrlhf, one completion to a request", ("ours",), openrlhf("/openrlhf?n=16", 1), 64),
        ("adjudge serve, the same with --state", ("ours", "--state"), openrlhf("/openrlhf?n=16", 1), 64),
    ]
    if peer is not None:
        sides += [
            ("OpenRLHF serve_rm, one completion to a request, as its client sends", ("peer", str(peer)), openrlhf("/get_reward", 1), 64),
            ("OpenRLHF serve_rm, 16 completions to a request", ("peer", str(peer)), openrlhf("/get_reward", GROUP), 8),
        ]
    found: dict[str, dict[str, list[float]]] = {name: {} for name, *_ in sides}
    loads = []
    for _ in range(turns):
        for name, arguments, bodies, connections in sides:
            process, port = started(*arguments)
            loads.append(os.getloadavg()[0])
            try:
                run(throughput(port, bodies, connections, 1))
                before = processor_seconds(process)
                rate = run(throughput(port, bodies, connections, seconds))
                used = processor_seconds(process) - before
                size, many = bodies(0)[2], 4 * connections
                half = run(latencies(port, bodies, many, seconds, rate / size / 2))
                steady = run(latencies(port, bodies, many, seconds, AIM / size / 2))
            finally:
                process.kill()
            told = {
                "samples_per_second": rate,
                "processor_ms": 1000 * used / (rate * seconds),
                "p50_half": at(half, 0.5),
                "p99_half": at(half, 0.99),
                "p50": at(steady, 0.5),
                "p99": at(steady, 0.99),
            }
            for key, value in told.items():
                found[name].setdefault(key, []).append(value)
            print(name, {key: round(value, 3) for key, value in told.items()}, flush=True)
    return {"seconds": seconds, "turns": turns, "load_average": loads, "peer": "openrlhf 0.11.2" if peer else None, "sides": found}


async def _soak(port: int, minutes: float, clients: int, pause: float) -> dict[str, Any]:
    end, told, wrong, errors = time.monotonic() + 60 * minutes, 0, 0, 0
    groups, begun = clients // 8, dict[int, int]()

    async def member(team: int, slot: int) -> None:
        nonlocal told, wrong, errors
        connection = await Connection.open(port)
        for turn in range(10**9):
            if time.monotonic() > end and begun.get(team, -1) < turn:
                break
            begun[team] = turn  # the rest of the team takes part in what one of them has begun
            label = {"group": f"{team}-{turn}", "slot": slot, "answer": "9"}
            prompt = f"{PROMPT}{team}-{turn}"
            sent = request("/openrlhf?n=8", {"query": [f"{prompt}{ANSWER}{slot}"], "prompts": [prompt], "labels": [label]})
            status, reply = await connection.ask(sent)
            told += 1
            errors += status != 200
            wrong += status == 200 and json.loads(reply)["rewards"] != [slot / 7]
            await asyncio.sleep(pause)
        connection.close()

    memory: list[float] = []

    async def watch() -> None:
        while time.monotonic() < end:
            await asyncio.sleep(min(20, 6 * minutes))
            memory.append((await metrics(port))["process_resident_memory_bytes"] / 2**20)

    members = [member(team, slot) for team in range(groups) for slot in range(8)]
    await asyncio.gather(watch(), *members)
    counted = await metrics(port)
    return {
        "clients": groups * 8, "minutes": minutes, "pause_seconds": pause, "requests": told, "errors": errors, "wrong_rewards": wrong,
        "groups": told // 8, "groups_judged": counted["adjudge_groups_total"], "memory_mib": memory,
    }  # fmt: skip


async def metrics(port: int) -> dict[str, float]:
    connection = await Connection.open(port)
    _, text = await connection.ask(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    connection.close()
    lines = [line.rsplit(" ", 1) for line in text.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def soak(minutes: float, pause: float) -> dict[str, Any]:
    """A thousand clients in groups of 8, with groups on disk."""
    process, port = started("ours", "--state")
    try:
        return run(_soak(port, minutes, 1000, pause))
    finally:
        process.kill()


def shown(data: dict[str, Any]) -> str:
    """The page of results."""
    rows, parts = [], []
    for name, found in data.get("speed", {}).get("sides", {}).items():
        middle = {key: statistics.median(values) for key, values in found.items()}
        times = [f"{middle[key]:.1f} ms" for key in ("p50", "p99", "p50_half", "p99_half")]
        rows.append([name, f"{middle['samples_per_second']:,.0f}", f"{middle['processor_ms']:.3f} ms", *times])
    if rows:
        speed = data["speed"]
        load = statistics.median(speed["load_average"])
        parts.append(
            f"Medians of {speed['turns']} turns of {speed['seconds']:g} s on {os.cpu_count()} cores, which the clients use too; "
            f"load average of the machine {load:.1f} before each turn. One completion to a request waits for its siblings: "
            f"{GROUP} of them come within {1000 * GROUP / (AIM / 2):.1f} ms at 1,250/s."
        )
        head = [
            "server and request",
            "samples/s",
            "processor time a sample",
            "p50 at 1,250/s",
            "p99 at 1,250/s",
            "p50 at half load",
            "p99 at half load",
        ]
        parts.append(table(head, rows))
    if (one := data.get("soak")) is not None:
        memory = one["memory_mib"]
        fifth = len(memory) // 5
        parts.append(
            f"{one['clients']:,} clients in groups of 8 for {one['minutes']:g} minutes, groups on disk: {one['requests']:,} requests, "
            f"{one['errors']} errors, {one['wrong_rewards']} wrong rewards; {one['groups']:,} groups, "
            f"{one['groups_judged'] - one['groups']:.0f} judged twice. Memory {memory[fifth]:.0f} MiB after a fifth of the time, "
            f"{memory[-1]:.0f} MiB in the end ({memory[-1] / memory[fifth] - 1:+.1%})."
        )
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, help="folder with the unpacked wheel of openrlhf 0.11.2")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="only have a thousand clients ask for so long")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between a client's requests in --soak")
    given = parser.parse_args()
    file = RESULTS / "reward_server.json"
    data = {key: value for key, value in json.loads(file.read_text()).items() if key != "machine"} if file.exists() else {}
    if given.soak:
        data["soak"] = soak(given.soak, given.pause)
    else:
        data["speed"] = measure(given.peer, given.seconds, given.turns)
    save("reward_server", data)
    (RESULTS / "reward_server.md").write_text(shown(data), encoding="utf-8")
    print(shown(data))


if __name__ == "__main__":
    main()
