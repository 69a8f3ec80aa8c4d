"""Draws the pictures of the documents: ``docs/pictures/NAME.svg`` from the boxes and arrows in ``docs/pictures/NAME.txt``.

``python docs/pictures/draw.py`` writes, ``--check`` finds out whether every picture is current. A description has one thing on a line:

    title TEXT
    band ROW | TEXT                                     a row that belongs together
    box NAME KIND COLUMN ROW | TEXT | TEXT | CAPTION    KIND: data, step, model; the caption stands below the box
    arrow NAME -> NAME | TEXT                           straight in a row or column, else with two corners
    arrow NAME => NAME                                  down from a box, then to the left side of one on the right

Fills are dark behind white text, lines and captions grey, so that a picture can be read on a white page and on a black one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).parent
WIDTH, HEIGHT = 164, 54
"""Of a box, in pixels."""
COLUMN, ROW = 192, 118
"""From one box to the next, in pixels."""
LEFT, TOP = 24, 66
FILLS = {"data": "#3b5b7a", "step": "#4d4d57", "model": "#7a4b2b"}
GREY = "#7d8590"
STYLE = f"""text {{ font-family: system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; text-anchor: middle; fill: #ffffff; font-size: 14px }}
.title {{ font-size: 17px; font-weight: 600; fill: {GREY}; text-anchor: start }}
.band, .label {{ font-size: 13px; fill: {GREY}; text-anchor: start }}
.small {{ font-size: 12px }}
.caption {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 11.5px; fill: {GREY} }}
.frame {{ fill: none; stroke: {GREY}; stroke-opacity: 0.45; stroke-dasharray: 3 4 }}
.arrow {{ fill: none; stroke: {GREY}; stroke-width: 1.6; marker-end: url(#head) }}"""


@dataclass(frozen=True)
class Box:
    """A box on the grid, with its texts."""

    kind: str
    column: int
    row: int
    texts: tuple[str, ...]

    @property
    def x(self) -> int:
        return LEFT + self.column * COLUMN

    @property
    def y(self) -> int:
        return TOP + self.row * ROW

    @property
    def middle(self) -> tuple[int, int]:
        return self.x + WIDTH // 2, self.y + HEIGHT // 2


@dataclass
class Picture:
    """What a description says."""

    title: str = ""
    bands: dict[int, str] = field(default_factory=dict)
    boxes: dict[str, Box] = field(default_factory=dict)
    arrows: list[tuple[str, str, str, str]] = field(default_factory=list)


def read(text: str) -> Picture:
    """The picture that a text describes; raises `ValueError` for a line that is none of the kinds above."""
    picture = Picture()
    for number, line in enumerate(text.splitlines(), 1):
        head, *texts = (part.strip() for part in line.split("|"))
        match head.split():
            case [] | ["#", *_]:
                pass
            case ["title", *words]:
                picture.title = " ".join(words)
            case ["band", row]:
                picture.bands[int(row)] = texts[0]
            case ["box", name, kind, column, row] if kind in FILLS:
                picture.boxes[name] = Box(kind, int(column), int(row), tuple(texts))
            case ["arrow", source, ("->" | "=>") as way, target] if {source, target} <= picture.boxes.keys():
                picture.arrows.append((source, way, target, texts[0] if texts else ""))
            case _:
                raise ValueError(f"line {number} is no title, band, box or arrow between boxes above it: {line!r}")
    return picture


def drawn(picture: Picture) -> str:
    """The picture as SVG."""
    columns = 1 + max(box.column for box in picture.boxes.values())
    rows = 1 + max(box.row for box in picture.boxes.values())
    width, height = 2 * LEFT + (columns - 1) * COLUMN + WIDTH, TOP + (rows - 1) * ROW + HEIGHT + 44
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        "<!-- Drawn by docs/pictures/draw.py; change the text beside this file, then run `make docs`. -->",
        f"<title>{escape(picture.title)}</title>",
        f"<style>{STYLE}</style>",
        f'<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="{GREY}"/></marker></defs>',
        f'<text class="title" x="{LEFT}" y="26">{escape(picture.title)}</text>',
        *(line for row, text in picture.bands.items() for line in _band(row, text, width)),
        *(line for source, way, target, text in picture.arrows for line in _arrow(picture, source, way, target, text)),
        *(line for box in picture.boxes.values() for line in _box(box)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _band(row: int, text: str, width: int) -> Iterator[str]:
    top = TOP + row * ROW - 22
    yield f'<rect class="frame" x="{LEFT + COLUMN - 16}" y="{top}" width="{width - 2 * LEFT - COLUMN + 28}" height="{HEIGHT + 48}" rx="8"/>'
    yield f'<text class="band" x="{LEFT + COLUMN + WIDTH // 2 + 14}" y="{top + 15}">{escape(text)}</text>'


def _box(box: Box) -> Iterator[str]:
    (x, y), (first, *more) = box.middle, box.texts
    corner = 16 if box.kind == "data" else 4
    yield f'<rect x="{box.x}" y="{box.y}" width="{WIDTH}" height="{HEIGHT}" rx="{corner}" fill="{FILLS[box.kind]}"/>'
    yield f'<text x="{x}" y="{y - 3 if more and more[0] else y + 5}">{escape(first)}</text>'
    if more and more[0]:
        yield f'<text class="small" x="{x}" y="{y + 14}">{escape(more[0])}</text>'
    if len(more) > 1:
        yield f'<text class="caption" x="{x}" y="{box.y + HEIGHT + 15}">{escape(more[1])}</text>'


def _arrow(picture: Picture, source: str, way: str, target: str, text: str) -> Iterator[str]:
    one, other = picture.boxes[source], picture.boxes[target]
    (x, y), (to_x, to_y) = one.middle, other.middle
    down, right = (1 if to_y > y else -1), (1 if to_x > x else -1)
    if one.row == other.row:
        path, at = f"M{x + right * WIDTH // 2} {y} H{to_x - right * (WIDTH // 2 + 3)}", ((x + to_x) // 2 - 16, y - 8)
    elif way == "=>":
        path, at = f"M{x} {y + down * HEIGHT // 2} V{to_y} H{to_x - WIDTH // 2 - 3}", (x + 8, to_y - 8)
    elif one.column == other.column:
        path, at = f"M{x} {y + down * HEIGHT // 2} V{to_y - down * (HEIGHT // 2 + 3)}", (x + 8, (y + to_y) // 2 + 4)
    else:
        start, gap = x + right * 40, to_y - down * (HEIGHT // 2 + 31)
        path, at = f"M{start} {y + down * HEIGHT // 2} V{gap} H{to_x} V{to_y - down * (HEIGHT // 2 + 3)}", (min(start, to_x) + 8, gap - 6)
    yield f'<path class="arrow" d="{path}"/>'
    if text:
        yield f'<text class="label" x="{at[0]}" y="{at[1]}">{escape(text)}</text>'


def main(arguments: Sequence[str], folder: Path = HERE) -> int:
    """Draw every picture of the folder; with ``--check`` draw nothing and return 1 when one is stale."""
    stale = []
    for description in sorted(folder.glob("*.txt")):
        file, text = description.with_suffix(".svg"), drawn(read(description.read_text(encoding="utf-8")))
        if "--check" not in arguments:
            file.write_text(text, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != text:
            stale.append(f"docs/pictures/{file.name}")
    for name in stale:
        print(f"{name} is stale: run 'make docs'", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
