"""Which tiles the `fused` kernel works in: a short table by device, type, alignment and Triton version, never by the number of tokens.

A token's numbers depend on its tile shapes and on where the vocabulary is split. Both follow from the model alone, so a token is
scored to the same bits in every batch. There is no autotuning for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

SPLITS = 8
"""Parts of the vocabulary that go to different programs: with `GROUP` row tiles they fill the 132 processors of an H100 or H200."""
GROUP = 16
"""Row tiles whose hidden states are in use at one time: 16 x 128 rows of 5120 values in 16 bits are 21 MB, which the L2 cache holds."""
SPECIALISING = ((3, 6), (3, 9))
"""First and last Triton whose warp specialisation on Hopper was compiled and its machine code read."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """One way to launch the kernel."""

    rows: int
    columns: int
    depth: int
    """Width of hidden state that is multiplied at a time."""
    warps: int
    stages: int
    tma: bool = False
    """Tiles are fetched by the tensor memory accelerator, which wants rows that start at multiples of 16 bytes."""
    specialise: bool = False
    """One warp group only fetches, two only multiply."""


def splits(vocabulary: int, tiles: Tiles) -> int:
    """How many parts the vocabulary goes in: none of them empty."""
    return min(SPLITS, -(-vocabulary // tiles.columns))


def choose(capability: tuple[int, int] | None, dtype: torch.dtype, *, aligned: bool, version: tuple[int, int], more: bool = False) -> Tiles:
    """Tiles for a CUDA capability (None = the interpreter), the type of the inputs, and the Triton version.

    `aligned`: the head's rows start at multiples of 16 bytes and have no gaps between values. `more`: for
    all statistics of `token_statistics`.
    """
    if capability is None:
        return Tiles(16, 64, 32, warps=4, stages=1, tma=aligned)
    if dtype == torch.float32:
        return Tiles(64, 64, 32, warps=4, stages=3)
    if capability[0] == 9 and aligned:
        tiles = _hopper(version)
        return replace(tiles, columns=128) if more else tiles  # the registers of 256 columns do not hold all statistics
    if capability[0] == 10 and aligned:
        return Tiles(128, 128, 64, warps=8, stages=4, tma=True)
    return Tiles(128, 128, 32, warps=8, stages=3)


def _hopper(version: tuple[int, int]) -> Tiles:
    if SPECIALISING[0] <= version <= SPECIALISING[1]:
        return Tiles(128, 256, 64, warps=4, stages=4, tma=True, specialise=True)
    return Tiles(128, 256, 64, warps=8, stages=4, tma=True)
