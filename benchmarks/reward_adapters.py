"""Runs the adapter of each RL framework against the framework's real code, in an environment of its own, and writes down what ran.

``python benchmarks/reward_adapters.py [NAME …]`` (``make test-rewards`` for all) builds what is missing below ``.venv-rewards/``, or below
the folder that ``ADJUDGE_REWARD_ENVS`` names, runs each framework's test file there, and writes ``results/reward_adapters.json`` and
``.md``. A framework without a distribution comes as a checkout, whose folder a variable such as ``ADJUDGE_SRC_RLLM`` names. Rows of
frameworks that are not asked for, or whose checkout is not there, stay as they were.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bench import RESULTS, ROOT, save, table

PINS = ROOT / "benchmarks" / "reward_envs"
ENVS = Path(os.environ.get("ADJUDGE_REWARD_ENVS") or ROOT / ".venv-rewards").absolute()


@dataclass(frozen=True)
class Framework:
    """A framework's tests, and where they run.

    Its environment has what ``reward_envs/NAME.txt`` pins, dependencies included; without such a file it is this project's own.
    """

    name: str
    """As in ``tests/plugins/adjudge_rewards/test_NAME.py``."""
    packages: tuple[str, ...]
    """Whose versions are told."""
    python: str = ""
    """Its Python's minor version, where it cannot do with this one; ``pythonX.Y`` has to be on the path."""
    alone: bool = False
    """Whether its environment has everything, adjudge's dependencies too; else it sees this project's below its own."""
    checkout: str = ""
    """Variable that names the folder of its source, where no distribution has it."""
    source: str = ""
    """Where that source comes from, with the commit that the tests passed with."""
    within: tuple[str, ...] = ("",)
    """Folders of the checkout that are put on the path."""
    pins: str = ""
    """Whose environment it shares, where it has none of its own."""

    @property
    def environment(self) -> str:
        return self.pins or self.name


FRAMEWORKS = (
    Framework("trl", ("trl", "transformers", "accelerate", "torch")),
    Framework("verl", ("verl", "ray", "tensordict", "transformers", "torch")),
    Framework("openrlhf", ("openrlhf", "ray", "transformers", "torch")),
    Framework("slime", ("ray", "transformers", "torch"), checkout="ADJUDGE_SRC_SLIME", source="github.com/THUDM/slime@624b824"),
    Framework("gym", ("openai", "ray", "fastapi"), checkout="ADJUDGE_SRC_GYM", source="github.com/NVIDIA-NeMo/Gym@07d6b0d"),
    Framework("areal", ("areal", "ray", "transformers", "torch")),
    Framework("verifiers", ("verifiers", "uv", "openai", "torch")),
    Framework(
        "prime_rl",
        ("verifiers", "msgspec", "torch"),
        checkout="ADJUDGE_SRC_PRIME_RL",
        source="PrimeIntellect-ai/prime-rl@559b447",
        within=("src", "packages/prime-rl-configs/src"),
        pins="verifiers",
    ),
    Framework("swift", ("ms-swift", "trl", "transformers", "torch"), alone=True),
    Framework("tinker", ("tinker-cookbook", "tinker", "transformers", "torch")),
    Framework("rllm", ("transformers", "torch"), checkout="ADJUDGE_SRC_RLLM", source="rllm-org/rllm@9beb6e0"),
    Framework(
        "open_instruct", ("ray", "transformers", "torch"), checkout="ADJUDGE_SRC_OPEN_INSTRUCT", source="allenai/open-instruct@e6c3044"
    ),
    Framework("skyrl", ("skyrl", "skyrl-gym", "transformers", "torch"), alone=True, python="3.12"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="frameworks; default: all")
    names = parser.parse_args().names or [one.name for one in FRAMEWORKS]
    if unknown := sorted(set(names) - {one.name for one in FRAMEWORKS}):
        parser.error(f"there is no framework {', '.join(unknown)}; there are: {', '.join(one.name for one in FRAMEWORKS)}")
    file = RESULTS / "reward_adapters.json"
    rows: dict[str, Any] = json.loads(file.read_text())["frameworks"] if file.exists() else {}
    failed = 0
    for one in FRAMEWORKS:
        if one.name not in names:
            continue
        row = tried(one)
        failed += row.get("failed", 0)
        if row["ran"] or not rows.get(one.name, {}).get("ran"):
            rows[one.name] = row
        print(f"{one.name}: {row['outcome']}", flush=True)
        found = {known.name: rows[known.name] for known in FRAMEWORKS if known.name in rows}
        (RESULTS / "reward_adapters.md").write_text(shown(found))
        save("reward_adapters", {"frameworks": found})
    return 1 if failed else 0


def tried(one: Framework) -> dict[str, Any]:
    """What came of this framework's tests; what could not be run says why."""
    row: dict[str, Any] = {"ran": False, "date": datetime.now(UTC).date().isoformat(), "versions": {}, "command": ""}
    folder = os.environ.get(one.checkout, "") if one.checkout else ""
    if one.checkout and not folder:
        return {**row, "outcome": f"not run: needs a checkout of {one.source}, whose folder {one.checkout} names"}
    python = Path(sys.executable)
    if (PINS / f"{one.environment}.txt").exists():
        try:
            python = built(one)
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            return {**row, "failed": 1, "outcome": f"not run: its environment cannot be built: {said[-1]}"}
    paths = [ROOT / "core", ROOT / "plugins", *([Path(folder).absolute() / within for within in one.within] if folder else [])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
    }
    row["versions"] = versions(one, python, environment, folder)
    test = f"tests/plugins/adjudge_rewards/test_{one.name}.py"
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", f"--basetemp={place}/tests", test]
        done = subprocess.run([str(python), *arguments], cwd=ROOT, env=environment, check=False)
        cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    return {**row, **counted(cases, done.returncode), "command": f"python -m pytest {test}"}


def built(one: Framework) -> Path:
    """The Python of its environment, made anew where the pins have changed."""
    place, pins = ENVS / one.environment, PINS / f"{one.environment}.txt"
    python, stamp = place / "bin" / "python", place / "pins.txt"
    if stamp.exists() and stamp.read_text() == pins.read_text():
        return python
    print(f"{one.environment}: building its environment", flush=True)
    silently([f"python{one.python}" if one.python else sys.executable, "-m", "venv", "--clear", str(place)])
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if one.alone:  # torch brings what its build needs, which differs from build to build
        torch = next(line for line in pins.read_text().splitlines() if line.startswith("torch=="))
        silently([*install, *os.environ.get("TORCH_ARGS", "").split(), torch])
    silently([*install, "--no-deps", "-r", str(pins)])
    if one.alone:
        silently([*install, "--no-deps", "-e", str(ROOT)])
    else:
        own = silently([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
        (Path(own) / "adjudge_below.pth").write_text(sysconfig.get_path("purelib") + "\n")
    stamp.write_text(pins.read_text())
    return python


def silently(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def versions(one: Framework, python: Path, environment: dict[str, str], folder: str) -> dict[str, str]:
    """The versions that the tests see, and of a checkout its commit."""
    script = (
        "import json, platform, sys; from importlib.metadata import version; "
        "print(json.dumps({'python': platform.python_version(), **{name: version(name) for name in sys.argv[1:]}}))"
    )
    done = subprocess.run([str(python), "-c", script, *one.packages], env=environment, check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(done.stdout)
    if folder:
        done = subprocess.run(["git", "-C", folder, "rev-parse", "--short", "HEAD"], check=False, capture_output=True, text=True)
        found[one.source.split("@")[0]] = done.stdout.strip() or "a folder that does not say its commit"
    return found


def counted(cases: list[ElementTree.Element], code: int) -> dict[str, Any]:
    """How many tests passed, failed and were skipped, and why those were."""
    tests = {
        f"{case.get('name')}": next((kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None), "passed")
        for case in cases
    }
    count = Counter(tests.values())
    failed = count["failure"] + count["error"] or int(code not in (0, 5))
    reasons = sorted({str(skipped.get("message")) for case in cases for skipped in case.iter("skipped")})
    said = ", ".join(f"{number} {name}" for name, number in (("passed", count["passed"]), ("failed", failed)) if number) or "no test ran"
    if count["skipped"]:
        said += f", {count['skipped']} skipped ({'; '.join(reasons)})"
    return {"ran": bool(count["passed"] or failed), "failed": failed, "tests": tests, "outcome": said}


def shown(rows: dict[str, Any]) -> str:
    """The table of the page."""
    cells = [
        [name, ", ".join(f"{package} {version}" for package, version in row["versions"].items()), row["outcome"], row["date"]]
        for name, row in rows.items()
    ]
    return table(["framework", "versions", "outcome", "date"], cells) + "\n"


if __name__ == "__main__":
    sys.exit(main())
