"""Says which paths go into one batch and how they lie in its rows; plain numbers, no tensors."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import accumulate

Rows = list[list[int]]
"""Indices of paths, row by row."""
STACKS = (1, 2, 3, 4, 6, 8, 16, 32, 64)
"""Paths on top of each other in a row that are tried, by the longest path's measure."""
KEYS_PER_TOKEN = 8
"""Keys and values of so many prompt tokens, copied for a row, take about the memory of one token on its way through a layer."""
COPY = 100
"""Copying a key and its value takes about as long as so many queries' products with it."""


def padded(lengths: Sequence[int], budget: int) -> Rows:
    """One path to a row, as many rows as the budget has; `lengths` in falling order, at least one."""
    return [[index] for index in range(min(len(lengths), max(1, budget // max(1, lengths[0]))))]


def balanced(lengths: Sequence[int], prompt: int, budget: int, dimension: int) -> Rows:
    """The longest paths that the budget has room for, in the rows that take least time; `lengths` in falling order, at least one.

    Few wide rows save padding and copies of the prompt's keys; many narrow rows save products between paths, which the mask throws away.
    """
    count = max(1, sum(total <= budget for total in accumulate(lengths)))
    total = max(1, sum(lengths[:count]))
    most = min(-(-total // max(1, lengths[0])), max(1, budget * KEYS_PER_TOKEN // prompt))
    tries = [stacked(lengths[:count], number) for number in sorted({-(-most // stack) for stack in STACKS} | {1}, reverse=True)]
    return min(tries, key=lambda rows: _time(rows, lengths, prompt, dimension))


def stacked(lengths: Sequence[int], number: int) -> Rows:
    """So many rows of nearly equal width: each path, longest first, goes to the row that is shortest so far."""
    rows: Rows = [[] for _ in range(min(number, len(lengths)))]
    widths = [(0, row) for row in range(len(rows))]
    for index, length in enumerate(lengths):
        width, row = widths[0]
        rows[row].append(index)
        heapq.heapreplace(widths, (width + length, row))
    return [row for row in rows if row]


def first_fit(lengths: Sequence[int], width: int) -> Rows:
    """Rows of at most this width, as few as come of putting each path, longest first, into the first that has room."""
    rows: Rows = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        row = next((row for row, left in enumerate(room) if lengths[index] <= left), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(width)
        rows[row].append(index)
        room[row] -= lengths[index]
    return rows


def _time(rows: Rows, lengths: Sequence[int], prompt: int, dimension: int) -> float:
    """In products of one query with one key: linear layers are about 6 D of them a token, done twice as fast as attention's."""
    width = max(sum(lengths[index] for index in row) for row in rows)
    return len(rows) * (3 * dimension * width + (prompt + width) * (width + COPY))
