"""How a step is shared out over processes: it stays as large as it is, and shares that do not come out even are refused."""

from __future__ import annotations

import pytest

from adjudge_trl import micro_batches


@pytest.mark.parametrize(("batch", "micro", "processes", "found"), [(128, None, 2, (64, 1)), (128, 8, 4, (8, 4)), (6, 3, 1, (3, 2))])
def test_a_step_is_as_large_with_any_number_of_processes(batch: int, micro: int | None, processes: int, found: tuple[int, int]) -> None:
    assert micro_batches(batch, micro, processes) == found
    assert found[0] * found[1] * processes == batch


@pytest.mark.parametrize(("batch", "micro", "processes"), [(6, None, 4), (32, 32, 2), (2, None, 4), (32, 6, 2)])
def test_shares_that_do_not_come_out_even_are_refused(batch: int, micro: int | None, processes: int) -> None:
    with pytest.raises(ValueError, match=f"a step of {batch} cannot be shared out over {processes} processes"):
        micro_batches(batch, micro, processes)
