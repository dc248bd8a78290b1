"""An endless stream of batches, made in the training loop, or ahead of it by other processes so that a GPU need not wait."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from .data import DataPlan
from .interruption import ignore_signals
from .sources import Batch

# Number of batches between two searches for patients that are simulated while the training runs.
_REFRESH_EVERY = 50

_Parts = tuple[Tensor, Tensor, Tensor, Tensor]


def stream_seed(*numbers: int) -> int:
    """Combine several numbers (recipe's seed, iteration of the (re)start, process) to one seed; others give another seed."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def batches(plan: DataPlan, size: int, seed: tuple[int, ...], workers: int, pinned: bool = False) -> Generator[Batch, None, None]:
    """Batches of `size` slices without end; each of `workers` processes has a seed of its own, 0 makes them here.

    `pinned` puts them into memory from which a GPU can copy while it computes.
    """
    endless = _Endless(plan, size, seed)
    prefetched = (
        endless
        if not workers
        else DataLoader(
            endless,
            batch_size=None,
            num_workers=workers,
            worker_init_fn=ignore_signals,
            # New processes rather than forks: a fork after CUDA or thread pools have started can hang.
            multiprocessing_context="spawn",
            pin_memory=pinned,
            prefetch_factor=4,
        )
    )
    for parts in prefetched:
        yield Batch(*parts)


class _Endless(IterableDataset[_Parts]):
    def __init__(self, plan: DataPlan, size: int, seed: tuple[int, ...]) -> None:
        self._plan, self._size, self._seed = plan, size, seed

    def __iter__(self) -> Iterator[_Parts]:
        process = get_worker_info()
        source = self._plan.open(stream_seed(*self._seed, process.id if process else 0))
        while True:
            for _ in range(_REFRESH_EVERY):
                batch = source.batch(self._size)
                yield batch.images, batch.classes, batch.known, batch.positions
            source.refresh()
