"""Who watches a run: `progress` on the terminal, `html` as one self-contained page with plots, `card` beside every model."""

from __future__ import annotations

from collections.abc import Iterable

from adjudge import Reporter, hookimpl

from .card import Card
from .html import Html
from .progress import Progress


@hookimpl
def register_reporters() -> Iterable[type[Reporter]]:
    return [Progress, Html, Card]
