"""The release checklist's own judgement, and its lines that need no network."""

from __future__ import annotations

import importlib.util
import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import adjudge

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def release() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / ".ci"))
    yield loaded("release")
    sys.path.remove(str(ROOT / ".ci"))


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0 AND CNRI-Python", "GPL-2.0-only OR MIT", "DFSG approved; MIT License", "MIT-CMU",
                                     "Apache-2.0 WITH LLVM-exception AND BSL-1.0", "Python Software Foundation License"])  # fmt: skip
def test_a_free_licence_may_be_taken_along(release: ModuleType, licence: str) -> None:
    assert release.free(licence)


@pytest.mark.parametrize("licence", ["UNKNOWN", "GPL-3.0-only", "MIT AND GPL-3.0-only", "GNU Affero General Public License; MIT License",
                                     "Limited use", ""])  # fmt: skip
def test_any_other_licence_is_looked_at(release: ModuleType, licence: str) -> None:
    assert not release.free(licence)


def test_the_version_stands_in_one_place(release: ModuleType) -> None:
    assert release.version() == adjudge.__version__


def test_the_wheel_from_the_sdist_is_the_wheel_from_the_checkout(
    release: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds sdist and wheel")
    monkeypatch.setattr(release, "DIST", tmp_path / "dist")
    assert f"adjudge-{adjudge.__version__}-py3-none-any.whl" in release.built()
    assert sorted(file.suffix for file in (tmp_path / "dist").iterdir()) == [".gz", ".whl"]


ADVISORY = """
id: PYSEC-0000-1
modified: "2024-01-02T00:00:00Z"
published: "2024-01-01T00:00:00Z"
details: It tells a secret.
affected:
- package: {name: Some.Package, ecosystem: PyPI}
  ranges:
  - {type: GIT, repo: "https://example.org/r", events: [{introduced: "0"}, {fixed: 74ea7cf}]}
  - {type: ECOSYSTEM, events: [{introduced: 2.10}, {fixed: 2.20}, {introduced: 3.0.0}, {last_affected: 3.1.0}]}
  - {type: ECOSYSTEM, events: [{introduced: "4"}, {fixed: 4.2-n653}]}
  versions: [1.0.0, 1.1alpha1, 0.1-bulbasaur]
"""


@pytest.mark.parametrize(
    ("version", "told"),
    [("1.0.0", True), ("1.1a1", True), ("1.2", False), ("5.0", True), ("2.1", False), ("2.9", False), ("2.10", True), ("2.19.9", True),
     ("2.20", False), ("2.99", False), ("3.0.0", True), ("3.1.0", True), ("3.1.1", False)],
)  # fmt: skip
def test_a_checkout_of_advisories_answers_as_their_service_does(tmp_path: Path, version: str, told: bool) -> None:
    advisories = loaded("advisories")
    (tmp_path / "vulns" / "some.package").mkdir(parents=True)
    (tmp_path / "vulns" / "some.package" / "PYSEC-0000-1.yaml").write_text(ADVISORY)
    assert advisories.latest(tmp_path) == "2024-01-01"
    with advisories.served(tmp_path) as address:
        asked = json.dumps({"package": {"name": "some-package", "ecosystem": "PyPI"}, "version": version}).encode()
        with urllib.request.urlopen(urllib.request.Request(address, data=asked)) as answer:
            found = json.load(answer)
    assert [one["id"] for one in found.get("vulns", [])] == (["PYSEC-0000-1"] if told else [])


def test_a_folder_without_advisories_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vulns").mkdir()
    with pytest.raises(SystemExit, match="no checkout"), loaded("advisories").served(tmp_path):
        pass
