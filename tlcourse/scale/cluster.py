"""Which Dask scheduler does the work."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from ..errors import TLCourseError, how_to_install

if TYPE_CHECKING:
    import distributed

DASHBOARD = "127.0.0.1:0"  # Dask's own default is every address of the machine
NO_PAGES: dict[str, list[str]] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
AUTHENTICATED = (
    "tls",
    "wss",
    "inproc",
)  # protocols by which only the owner of a certificate, or this process, gets in
PATIENCE = 60  # seconds for the first worker to come, and for one that died to be started again


@contextmanager
def connected(scheduler: str | None = None) -> Iterator:
    """A `distributed.Client` for the length of the block.

    Args:
        scheduler: its address, such as "tls://10.0.0.5:8786". None: that of the client in use; else that of Dask's own
            settings (DASK_SCHEDULER_ADDRESS); else a cluster of one worker a processor, on this machine and only for
            this block, as `local_cluster` starts it. Certificates for TLS are read from Dask's settings too. A
            scheduler without TLS ("tcp://…") is used with a warning: everybody who can connect to it can run code
            as the account of its workers and of this process.

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
            address = str(client.scheduler.address) if client.scheduler else ""
            _warn_without_authentication(address)
            yield _with_workers(client)
            return
    import dask

    scheduler = scheduler or dask.config.get("scheduler-address", None)
    if scheduler:
        _warn_without_authentication(str(scheduler))  # before the first connection
        with _client(distributed, scheduler) as client:
            yield _with_workers(client)
    else:
        # Where no worker comes up any more, what waits is given up: by default Dask would wait for ever.
        patience = {"distributed.scheduler.no-workers-timeout": f"{PATIENCE} s"}
        with (
            dask.config.set(patience),
            local_cluster() as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@contextmanager
def local_cluster(**options: object) -> "Iterator[distributed.LocalCluster]":
    """A `distributed.LocalCluster` that no other account of this machine can use, for the length of the block.

    Dask's own default is TCP without authentication: everybody who can connect runs code as the account that started
    the cluster. Here every connection needs a certificate that is made for this cluster and kept in memory, there are
    no web pages, and what workers write to disk lies in a folder of this account alone.

    Parameters
    ----------
    **options
        Passed to `LocalCluster`, such as ``n_workers=2, threads_per_worker=1``.

    Yields
    ------
    distributed.LocalCluster
    """
    distributed = _distributed()
    import dask

    with (
        tempfile.TemporaryDirectory(
            prefix="tlcourse-dask-", ignore_cleanup_errors=True
        ) as folder,
        dask.config.set(
            {**NO_PAGES, "distributed.deploy.lost-worker-timeout": f"{PATIENCE} s"}
        ),
        distributed.LocalCluster(
            security=True,
            dashboard_address=DASHBOARD,
            scheduler_kwargs={"dashboard": False},
            local_directory=folder,
            **options,
        ) as cluster,
    ):
        yield cluster


def _distributed() -> "ModuleType":
    try:
        import distributed
    except ImportError:
        raise TLCourseError(
            f"Dask is not installed. {how_to_install('scale')}, here and on every machine that is to work."
        ) from None
    return distributed


def _warn_without_authentication(address: str) -> None:
    """Warn of a scheduler that anybody can use; an address without a protocol is taken as Dask takes it."""
    import dask

    default = dask.config.get("distributed.comm.default-scheme", "tcp")
    protocol = address.partition("://")[0] if "://" in address else default
    if address and protocol not in AUTHENTICATED:
        warnings.warn(
            f"The Dask scheduler {address} speaks {protocol} without authentication: everybody who can "
            "connect to it, every account of its machine included, can run code as you. Start it with TLS (lesson 11), "
            "or with LocalCluster(security=True).",
            stacklevel=4,
        )


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
    from distributed import (
        TimeoutError as Late,
    )  # on Python 3.10 asyncio has one of its own

    address = (
        str(client.scheduler.address) if client.scheduler else "that was asked for"
    )
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except Late:
        raise TLCourseError(
            f"No worker has come to the scheduler {address} within {PATIENCE} s. On each machine: dask worker {address}"
        ) from None
    return client
