"""Several processes of one training, each with a part of the batch: the parts put together, and what the main process makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from adjudge import JobError

Made = TypeVar("Made")


def together() -> bool:
    """Whether this process is one of several."""
    import torch.distributed

    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return bool(ready and torch.distributed.get_world_size() > 1)


def rank() -> int:
    """This process's number, from 0, which is the main one."""
    import torch.distributed

    return torch.distributed.get_rank() if together() else 0


def gathered(own: Made) -> list[Made]:
    """Every process's value, in the order of their ranks."""
    import torch.distributed

    if not together():
        return [own]
    found: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(found, own)
    return found


def from_main(make: Callable[[], Made]) -> Made:
    """What the main process makes, in every process; what goes wrong there ends all of them."""
    import torch.distributed

    if not together():
        return make()
    found: list[Any] = [None, None]
    if rank() == 0:
        try:
            found[0] = make()
        except Exception as error:
            torch.distributed.broadcast_object_list([None, str(error)], src=0)  # or the others would wait for it for ever
            raise
    torch.distributed.broadcast_object_list(found, src=0)
    if found[1] is not None:
        raise JobError(f"the main process could not judge: {found[1]}")
    made: Made = found[0]
    return made
