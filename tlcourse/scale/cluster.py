"""Which Dask scheduler does the work."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import TLCourseError, how_to_install

if TYPE_CHECKING:
    import distributed

DASHBOARD = "127.0.0.1:0"  # Dask's own default is every address of the machine
PATIENCE = 60  # seconds for the first worker to come


@contextmanager
def connected(scheduler: str | None = None) -> Iterator:
    """A `distributed.Client` for the length of the block.

    Args:
        scheduler: its address, such as "tls://10.0.0.5:8786". None: that of the client in use; else that of Dask's own
            settings (DASK_SCHEDULER_ADDRESS); else a cluster of one worker a processor, on this machine and only for
            this block. Certificates for TLS are read from Dask's settings too.

    Raises:
        TLCourseError: Dask is not installed, the scheduler does not answer, or it has no worker.
    """
    distributed = _distributed()
    if scheduler is None:
        try:
            client = distributed.Client.current()
        except ValueError:
            pass
        else:
            yield _with_workers(client)
            return
    import dask

    scheduler = scheduler or dask.config.get("scheduler-address", None)
    if scheduler:
        with _client(distributed, scheduler) as client:
            yield _with_workers(client)
    else:
        # Where no worker comes up any more, what waits is given up: by default Dask would wait for ever.
        patience = {"distributed.scheduler.no-workers-timeout": f"{PATIENCE} s"}
        with (
            dask.config.set(patience),
            distributed.LocalCluster(dashboard_address=DASHBOARD) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def _distributed() -> "ModuleType":
    try:
        import distributed
    except ImportError:
        raise TLCourseError(
            f"Dask is not installed. {how_to_install('scale')}, here and on every machine that is to work."
        ) from None
    return distributed


def _client(distributed: "ModuleType", address: str) -> "distributed.Client":
    try:
        return distributed.Client(address)
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise TLCourseError(
            f"The Dask scheduler {address} cannot be reached ({reason}). Start one with `dask scheduler`, which says "
            "its address. For tls:// Dask needs certificates: DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__CLIENT__CERT "
            "and …__CLIENT__KEY name them."
        ) from None


def _with_workers(client: "distributed.Client") -> "distributed.Client":
    from distributed import TimeoutError as Late  # on Python 3.10 asyncio has one of its own

    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except Late:
        address = client.scheduler.address if client.scheduler else "that was asked for"
        raise TLCourseError(
            f"No worker has come to the scheduler {address} within {PATIENCE} s. On each machine: dask worker {address}"
        ) from None
    return client
