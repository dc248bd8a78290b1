"""Where cases are run: Dask workers of this computer, or those of a cluster that exists."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InputError
from ..memory import total_bytes
from ..processes import usable_cores
from .case_run import CaseJob, run_case
from .records import CaseRecord

# A case keeps this many cores of a processor busy; more help little.
_CORES_OF_A_CASE = 4
# Left to the system and to whoever schedules.
_SHARE_FOR_CASES = 0.9
_CONNECT_S = 30
# A busy computer takes minutes to start a worker anew.
_RESTART_S = 3600


@dataclass(frozen=True)
class WorkerPlan:
    """How many cases run at once on this computer, the cores and the memory in bytes that each may use, and its GPUs."""

    workers: int
    cores: int
    memory_bytes: int | None
    gpus: int

    def environment(self, worker: int) -> dict[str, str]:
        """What the children of a worker are told: their threads, and their GPU."""
        told = {"OMP_NUM_THREADS": str(self.cores)}
        return told | ({"CUDA_VISIBLE_DEVICES": str(worker % self.gpus)} if self.gpus else {})


def plan_workers(workers: int | None, gpus: int) -> WorkerPlan:
    """One worker per GPU, or the cores shared out; `workers` is a number that the user asked for.

    Raises:
        InputError: it is less than 1.
    """
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers run no case; choose at least 1.")
    # Cores that this process may use: a container or a job of a cluster has fewer than the machine.
    cores = usable_cores()
    count = workers or gpus or max(1, cores // _CORES_OF_A_CASE)
    memory = total_bytes()
    share = None if memory is None else int(_SHARE_FOR_CASES * memory / count)
    return WorkerPlan(count, max(1, cores // count), share, gpus)


@contextmanager
def local_client(plan: WorkerPlan, processes: bool = True) -> Iterator[Any]:
    """A Dask client with workers of this computer; they end with the block, or with this process."""
    import dask
    from distributed import Client, LocalCluster

    # Children hold the memory, and `limits` watches them.
    settings = {
        # With the usual 1.1 a worker gets two cases at once, and the second waits for it while others have nothing to do.
        "distributed.scheduler.worker-saturation": 1.0,
        # After the usual 15 s a lost worker that still starts is given up for good, and with the last one the run stands still.
        "distributed.deploy.lost-worker-timeout": _RESTART_S,
    }
    with dask.config.set(settings):
        cluster = LocalCluster(
            n_workers=plan.workers,
            threads_per_worker=1,
            processes=processes,
            memory_limit=0,
            dashboard_address=None,
            silence_logs=50,
        )
        with cluster, Client(cluster) as client:
            yield client


@contextmanager
def remote_client(address: str) -> Iterator[Any]:
    """A Dask client of a scheduler that runs already.

    Raises:
        InputError: none answers there.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=_CONNECT_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"No Dask scheduler answers at {address}; start it, or correct --scheduler.") from error
    with client:
        yield client


def run_on_worker(job: CaseJob, plan: WorkerPlan | None) -> CaseRecord:
    """`run_case` with the share of this worker; without a plan the worker's environment is what its cluster gave it."""
    if isinstance(plan, WorkerPlan):
        job = replace(job, environment={**plan.environment(_number_of_worker()), **job.environment})
    return run_case(job)


def _number_of_worker() -> int:
    """The number that a worker of a local cluster is called by; 0 elsewhere."""
    from distributed import get_worker

    with suppress(ValueError, TypeError):
        return int(get_worker().name)
    return 0
