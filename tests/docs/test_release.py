"""The release checklist's own judgement, and its lines that need no network."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import adjudge

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
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
