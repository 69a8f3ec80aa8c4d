"""Answers what `pip-audit` asks OSV about a version, from a checkout of the advisory database of the Python packaging authority.

For machines that reach neither PyPI nor OSV: clone pypa/advisory-database elsewhere, and bring it along. It knows what was known when it
was cloned and nothing later.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version


def affects(advisory: Mapping[str, Any], name: str, version: str) -> bool:
    """Whether an advisory, in OSV's schema, is about this version: it is listed, or lies in a range of versions."""
    if advisory.get("withdrawn"):
        return False
    for one in advisory.get("affected") or ():
        if canonicalize_name(one["package"]["name"]) != name or one["package"]["ecosystem"] != "PyPI":
            continue
        ranges = [each["events"] for each in one.get("ranges") or () if each["type"] == "ECOSYSTEM"]
        listed = map(_version, one.get("versions") or ())
        if Version(version) in listed or any(_within(Version(version), events) for events in ranges):
            return True
    return False


def _version(text: str) -> Version | None:
    """A version, however it is written: ``2.0alpha1`` is 2.0a1; None for what is none, such as ``0.1-bulbasaur``."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _within(version: Version, events: list[dict[str, Any]]) -> bool:
    """Whether the last event at or before a version leaves it affected; a fix in no version, such as ``2019-09-12``, ends nothing."""
    found = [(at, what) for event in events for what, text in event.items() if (at := _version(text)) is not None]
    inside = False
    for at, what in sorted(found, key=lambda one: one[0]):
        if what == "introduced" and version >= at:
            inside = True
        elif (what == "fixed" and version >= at) or (what == "last_affected" and version > at):
            inside = False
    return inside


def latest(database: Path) -> str:
    """The day on which the newest advisory of a checkout was published."""
    told = (line for file in (database / "vulns").glob("*/*.yaml") for line in file.read_text(encoding="utf-8").splitlines())
    return max(line.split()[1].strip("\"'")[:10] for line in told if line.startswith("published:"))


def reply(to: http.server.BaseHTTPRequestHandler, told: object) -> None:
    """Answer a request with JSON."""
    body = json.dumps(told).encode()
    to.send_response(200)
    to.send_header("Content-Type", "application/json")
    to.send_header("Content-Length", str(len(body)))
    to.end_headers()
    to.wfile.write(body)


@contextmanager
def served(database: Path) -> Iterator[str]:
    """The address of a service on this machine that knows the advisories of a checkout."""
    folders: dict[str, list[Path]] = {}
    for file in sorted((database / "vulns").glob("*/*.yaml")):
        folders.setdefault(canonicalize_name(file.parent.name), []).append(file)
    if not folders:
        raise SystemExit(f"{database}: has no advisories in folders of vulns, so it is no checkout of an advisory database")

    class Service(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = canonicalize_name(asked["package"]["name"])
            # every value is read as a text: 2.10 is a version and no number
            known = [yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader) for file in folders.get(name, ())]
            found = [one for one in known if affects(one, name, asked["version"])]
            reply(self, {"vulns": found} if found else {})

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing is printed."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
