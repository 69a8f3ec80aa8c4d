"""How a step is shared out over processes, and gone through in parts."""

from __future__ import annotations


def micro_batches(batch: int, micro: int | None, processes: int) -> tuple[int, int]:
    """Size and number of the micro-batches in which each process goes through its share of a step, which is `batch` over all of them.

    So a step is the same however many processes take part. Raises `ValueError` where the shares would not be equal and whole.
    """
    share, rest = divmod(batch, processes)
    size = micro or share
    if rest or not size or share % size:
        raise ValueError(
            f"a step of {batch} cannot be shared out over {processes} processes"
            + (f" in micro-batches of {micro}" if micro and not rest else "")
            + f"; choose a step that {processes * (micro or 1)} divides"
        )
    return size, share // size
