"""Several processes that train one model, started by torchrun.

Each takes its own part of every batch, and gradients are averaged after the backward pass, all in one message. That is
the gradient of the whole batch, whatever a method does in its losses; `DistributedDataParallel` wraps a `forward`,
which losses are not, and would gain only the overlap of its messages with the backward pass.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn
from torch import Tensor

from facsim.core.errors import FacsimError

# The functions of torch.distributed.nn keep the group that there is at their import, as default arguments. Were they
# imported later, as by AdamW's first step, they would keep it beyond `leave`, and its threads into the end of the
# interpreter, where one that still needs Python aborts the process: so they are imported here.

LONGEST_WAIT = timedelta(hours=2)
"""For the first process, while it checks or writes files or samples for a score."""


def launched() -> tuple[int, int]:
    """Rank of this process and number of processes that torchrun started; (0, 1) without it."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


class Processes:
    """The processes of one training; of a single one every call does nothing.

    Args:
        rank: of this process, 0 for the first, which alone writes files. size: number of processes.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @classmethod
    def join(cls) -> Processes:
        """Meet the processes that torchrun started, on first use."""
        rank, size = launched()
        if size > 1 and not dist.is_initialized():
            gpus, local = torch.cuda.device_count(), int(os.environ["LOCAL_WORLD_SIZE"])
            backend = "cpu:gloo,cuda:nccl" if gpus >= local else "gloo"
            if gpus:
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % gpus)
            dist.init_process_group(backend, timeout=LONGEST_WAIT)
        return cls(rank, size)

    def meet(self) -> None:
        """Wait for the others: who leaves first while another still listens may take it down."""
        if self.size > 1:
            with _connected():
                dist.barrier()

    @staticmethod
    def leave() -> None:
        """Part from the others; the threads that talked to them end."""
        if dist.is_initialized():
            dist.destroy_process_group()

    @property
    def first(self) -> bool:
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor], numbers: Sequence[float] = ()) -> list[float]:
        """Replace `tensors` by their means over the processes, and return the means of `numbers`."""
        if self.size == 1:
            return list(numbers)
        device = tensors[0].device if tensors else torch.device("cpu")
        told = torch.tensor(numbers, dtype=torch.float32, device=device)
        flat = torch.cat([*(tensor.reshape(-1) for tensor in tensors), told])
        with _connected():
            dist.all_reduce(flat)
        flat /= self.size
        *means, last = torch.split(flat, [tensor.numel() for tensor in [*tensors, told]])
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.copy_(mean.view_as(tensor))
        found: list[float] = last.tolist()
        return found

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Make `tensors` those of the first process."""
        if self.size > 1:
            with _connected():
                for tensor in tensors:
                    dist.broadcast(tensor, 0)

    def tell(self, message: Any) -> Any:
        """What the first process passes as `message`, for all."""
        if self.size == 1:
            return message
        box = [message]
        with _connected():
            dist.broadcast_object_list(box, 0)
        return box[0]


@contextmanager
def _connected() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        detail = str(error).splitlines()[0]
        raise FacsimError(f"another process of this training is gone ({detail}): see what it said.") from None
