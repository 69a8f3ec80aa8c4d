"""What the processes of a training do together where each has a part of the batch: gather it, and have one of them work for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adjudge import JobError


def together() -> bool:
    import torch.distributed

    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return bool(ready and torch.distributed.get_world_size() > 1)


def rank() -> int:
    import torch.distributed

    return torch.distributed.get_rank() if together() else 0


def gathered(own: Any) -> list[Any]:
    """Every process's value, in the order of their ranks."""
    import torch.distributed

    if not together():
        return [own]
    found: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(found, own)
    return found


def from_main(make: Callable[[], Any]) -> Any:
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
    return found[0]
