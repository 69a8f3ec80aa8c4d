"""The reporter `html`: one self-contained page about a run, written when all of its stages are complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from adjudge import Reporter, RunInfo, hookimpl

NEEDS = ("jinja2", "matplotlib")


class Html(Reporter):
    """One self-contained report.html in the run folder, with plots and judgements to read."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"samples"})
    use: Literal["html"] = "html"
    samples: Annotated[int, Field(ge=0)] = 10
    """Judgements to show in full; wrong and undecided ones take turns with right ones."""

    def check(self) -> None:
        """Raise `ConfigError` where a library is missing that pages are written with."""
        from .page import check_libraries

        check_libraries(self.use, *NEEDS)

    def start(self, run: RunInfo) -> HtmlObserver:
        self.check()
        return HtmlObserver(self)

    def write(self, folder: FilePath) -> FilePath:
        """Write the report of a run folder, finished or not, and return its file; raises `ConfigError` where there is no run."""
        self.check()
        from .run_page import write_run

        return write_run(folder, self.samples)

    def write_several(self, folders: Sequence[FilePath], file: FilePath) -> FilePath:
        """Write a page about several run folders, finished or not, and return its file."""
        self.check()
        from .several import write_several

        return write_several(folders, file)

    def write_health(self, report: Mapping[str, Any], file: FilePath) -> FilePath:
        """Write what `adjudge health` measured as a page, and return its file."""
        self.check()
        from .health import write_health

        return write_health(report, file)


@dataclass(frozen=True)
class HtmlObserver:
    """Observes a run for `Html`."""

    reporter: Html

    @hookimpl
    def run_finished(self, run: RunInfo) -> None:
        self.reporter.write(run.folder)
