"""The release checklist: ``python .ci/release.py`` runs every line of it and says which hold; ends with 1 where one does not.

Builds sdist and wheel into ``dist/``, builds the wheel once more from the sdist, and installs it into fresh environments: bare, also
against an endpoint on loopback, and with ``[train]``, which trains the demo. ``--quick`` leaves out what takes minutes.
cffconvert, pip-licenses and pip-audit, which check citation, licences and known vulnerabilities, have environments of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from advisories import latest, reply, served

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
GROUP = '{"prompt": "37+48", "answers": ["75", "85", "86"]}\n'
RECORDED = """
import itertools, json, sys
from adjudge import Plugins, Problem, validate, Judge
judge, group = validate(Judge, "rrm", Plugins.load(), "judge"), json.loads(sys.argv[2])
with open(sys.argv[1], "w") as file:
    for pair in itertools.permutations(group["answers"], 2):
        prompt = judge.render(Problem("1", group["prompt"], pair), "given")[-1]["content"]
        print(json.dumps({"prompt": prompt, "texts": ["It is right. \\\\boxed{Assistant 1}"]}), file=file)
"""
"""Writes a text for every pair of a group, as a judge's that names whatever it is shown first."""
FREE = re.compile(
    r"\b(?:Apache|MIT|0?BSD|BSL|Boost|ISC|ISCL|Python|PSF|MPL|Mozilla|Unlicense|CC0|Zlib|HPND|NVIDIA|DFSG approved)\b", re.IGNORECASE
)
"""Licences that a user of an Apache-2.0 package may take along."""

LOWEST = ("core/test_config.py", "core/test_hooks.py", "core/cli/test_cli_run.py", "plugins/adjudge_engines/test_hf.py",
          "plugins/adjudge_engines/test_openai.py", "plugins/adjudge_judges", "plugins/adjudge_rstar/test_token_logprobs.py",
          "plugins/adjudge_serve/test_routes.py", "plugins/adjudge_trl")  # fmt: skip
"""Tests that meet every dependency of the extras."""


BARE = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
"""Environment variables of every program: what is checked is the wheel, and no checkout on ``PYTHONPATH``."""


class Missed(Exception):
    """A line of the checklist that does not hold, and why."""


def said(command: Sequence[str | Path], **more: object) -> str:
    """What a command prints; raises `Missed` with its last lines where it fails."""
    how = {"env": BARE, **more}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **how)  # type: ignore[call-overload]
    if done.returncode:
        raise Missed(f"{Path(command[0]).name} ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    return str(done.stdout)


def version() -> str:
    """The version stands in one place, and the changelog has a part for it."""
    name = re.search(r'__version__ = "([^"]+)"', (ROOT / "core/adjudge/version.py").read_text())
    if not name or f"## {name[1]}" not in (ROOT / "CHANGELOG.md").read_text():
        raise Missed("CHANGELOG.md has no part for the version of core/adjudge/version.py")
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    if not cited or cited[1].strip('"') != name[1]:
        raise Missed("CITATION.cff names another version")
    return name[1]


def cited() -> str:
    """CITATION.cff is what the Citation File Format wants."""
    with environment(["cffconvert"]) as programs:
        return said([programs / "cffconvert", "--validate", "-i", ROOT / "CITATION.cff"]).strip().splitlines()[-1]


def clean() -> str:
    """Everything is committed."""
    if changed := said(["git", "status", "--short"], cwd=ROOT):
        raise Missed(f"not committed: {changed}")
    return said(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT).strip()


def built() -> str:
    """sdist and wheel, and the wheel that is built from the sdist is the same."""
    shutil.rmtree(DIST, ignore_errors=True)
    fixed = {**BARE, "SOURCE_DATE_EPOCH": "1700000000"}
    said([sys.executable, "-m", "hatchling", "build", "-d", DIST], cwd=ROOT, env=fixed)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(next(DIST.glob("*.tar.gz"))) as packed:
            packed.extractall(folder, filter="data")
        [source] = Path(folder).iterdir()
        said([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", Path(folder) / "again"], cwd=source, env=fixed)
        [ours], [again] = DIST.glob("*.whl"), (Path(folder) / "again").glob("*.whl")
        digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (ours, again)]
    if digests[0] != digests[1]:
        raise Missed("the wheel from the sdist differs from the wheel from the checkout")
    return f"{ours.name}, {ours.stat().st_size / 2**20:.1f} MiB, sha256 {digests[0][:16]}"


@contextmanager
def environment(*installs: Sequence[str | Path]) -> Iterator[Path]:
    """The folder of programs of a fresh environment, after these calls of ``pip install``."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / "bin"
        for packages in installs:
            said([programs / "pip", "install", "--quiet", "--disable-pip-version-check", *packages])
        yield programs


def installed(extras: str, *more: str) -> AbstractContextManager[Path]:
    """A fresh environment with the wheel and these extras, in the versions that the suite passes with; `more` goes first."""
    return environment(*(["-c", ROOT / "constraints.txt", one] for one in (*more, f"{next(DIST.glob('*.whl'))}{extras}")))


class Judge(http.server.BaseHTTPRequestHandler):
    """An endpoint whose judge names whatever it is shown first."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = {"role": "assistant", "content": "The first is right. \\boxed{Assistant 1}"}
        said: dict[str, object] = {"id": "1", "object": "chat.completion", "created": 0, "model": "judge"}
        said["choices"] = [{"index": 0, "message": answer, "finish_reason": "stop"}]
        said["usage"] = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        reply(self, said)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is printed."""


def bare() -> str:
    """Without extras: a group is ranked from recorded texts and through an endpoint."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Judge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with installed("") as programs, tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "texts.jsonl"
        said([programs / "python", "-c", RECORDED, texts, GROUP])
        rank = [programs / "adjudge", "rank", "--json", "--judge", "rrm", "--engine"]
        served = f"{{use: openai, base_url: 'http://127.0.0.1:{server.server_port}/v1', model: judge}}"
        orders = [
            json.loads(said([*rank, engine], input=GROUP, cwd=folder))["order"] for engine in (f"{{use: replay, file: {texts}}}", served)
        ]
    server.shutdown()
    if any(sorted(order) != [0, 1, 2] for order in orders):
        raise Missed(f"no ranking: {orders}")
    return f"order {orders[0]}; through an endpoint {orders[1]}"


def demo() -> str:
    """With [train]: the demo trains through its three stages and has a report."""
    with installed("[train]", "torch") as programs, tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(ROOT / "docs/runs/demo.yaml", Path(folder) / "demo.yaml")
        said([programs / "adjudge", "run", "demo.yaml", "--set", f"out={folder}/run"], cwd=folder)
        if not (Path(folder) / "run/report.html").is_file():
            raise Missed("there is no report")
        return "three stages and a report"


def lowest() -> str:
    """The lower ends of the version ranges: with the oldest release that each allows, the fast tests of some plugins pass."""
    with environment(["uv"]) as programs:
        chosen = programs.parent / "lowest.txt"
        extras = [word for extra in ("train", "peft", "gguf", "serve", "view", "data") for word in ("--extra", extra)]
        compiled = ["pip", "compile", "--quiet", "--resolution", "lowest-direct", *extras, "pyproject.toml", "-o", chosen]
        said([programs / "uv", *compiled], cwd=ROOT)
        install = [programs / "uv", "pip", "install", "--quiet", "--python", programs / "python", "-c", chosen]
        said([*install, "-r", chosen, next(DIST.glob("*.whl")), "pytest", "pytest-timeout", "hypothesis", "jsonschema"])
        tests = [f"tests/{place}" for place in LOWEST]
        done = said([programs / "python", "-m", "pytest", "-q", "-rfE", "-W", "ignore", "--tb=short", "-m", "not slow", *tests], cwd=ROOT)
        oldest = [line for line in chosen.read_text().splitlines() if line.startswith(("torch=", "trl=", "transformers=", "numpy="))]
    return f"{', '.join(oldest)}: {done.splitlines()[-1]}"


def free(licence: str) -> bool:
    """Whether it may be taken along: each of several licences that hold together, one of several to choose from."""
    together = re.split(r"\bAND\b|;", licence)
    return all(any(FREE.search(choice) for choice in re.split(r"\bOR\b", part)) for part in together)


def licences() -> str:
    """The licence of every package that the extras bring may be taken along; all stand in ``dist/licences.json``."""
    with installed("[train,serve,view,peft,gguf]", "torch", "pip-licenses") as programs:
        found = json.loads(said([programs / "pip-licenses", "--format", "json"]))
    (DIST / "licences.json").write_text(json.dumps(found, indent=1) + "\n")
    if odd := [f"{one['Name']} ({one['License']})" for one in found if not free(one["License"])]:
        raise Missed(f"to be looked at: {', '.join(odd)}")
    return f"{len(found)} packages"


def audit(advisories: Path | None = None) -> str:
    """No version of ``constraints.txt`` has a vulnerability that is known: to PyPI, or to a checkout of its advisory database."""
    asked = ["--format", "json", "--progress-spinner", "off", "--no-deps", "--disable-pip", "-r", str(ROOT / "constraints.txt")]
    with environment(["pip-audit"]) as programs, served(advisories) if advisories else nullcontext() as service:
        asked += ["--vulnerability-service", "osv", "--osv-url", service] if service else []
        here = {**BARE, "NO_PROXY": "127.0.0.1"} if service else BARE
        told = subprocess.run([str(programs / "pip-audit"), *asked], capture_output=True, text=True, check=False, env=here)
    found = json.loads(told.stdout)["dependencies"] if told.stdout else []
    silent = [one for one in found if "skip_reason" in one]
    if bad := [f"{one['name']} {one['version']} ({one['vulns'][0]['id']})" for one in found if one.get("vulns")]:
        raise Missed(f"known vulnerabilities: {', '.join(bad)}")
    if silent or not found:
        count = f"{len(silent)} of the {len(found)}" if found else "any of the"
        raise Missed(
            f"pip-audit got no answer about {count} packages of constraints.txt, so nothing is known of vulnerabilities in them;"
            " run `python .ci/release.py --only audit` on a machine that reaches PyPI itself and not a mirror of its files, or give"
            " --advisories a checkout of pypa/advisory-database"
        )
    newest = f" to {advisories}, whose newest advisory is of {latest(advisories)}" if advisories else ""
    return f"no known vulnerability in {len(found)} packages{newest}"


LINES: tuple[tuple[Callable[[], str], bool], ...] = (
    (version, False), (cited, False), (clean, False), (built, False), (bare, False), (demo, True), (lowest, True),
    (licences, True), (audit, True),
)  # fmt: skip
"""The checklist; the second says whether a line takes minutes."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--only", choices=[line.__name__ for line, _ in LINES], help="one line alone")
    parser.add_argument("--advisories", type=Path, help="a checkout of pypa/advisory-database, where `audit` reaches no service")
    given, missed = parser.parse_args(), 0
    for line, slow in LINES:
        if (slow and given.quick) or given.only not in (None, line.__name__):
            continue
        try:
            found = audit(given.advisories) if line is audit else line()
            print(f"holds   {line.__name__}: {found}", flush=True)
        except Missed as why:
            missed += 1
            print(f"MISSED  {line.__name__}: {why}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
