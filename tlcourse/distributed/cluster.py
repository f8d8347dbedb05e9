"""The Dask cluster that does the work: one that runs, or one on this machine."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import TLCourseError, how_to_install

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

PATIENCE = 60  # seconds for the first worker to come, or to be started again
AUTHENTICATED = ("tls", "wss", "inproc")  # only with a certificate, or this process
LOCAL_SETTINGS = {
    "distributed.scheduler.http.routes": [],  # no web pages
    "distributed.worker.http.routes": [],
    "distributed.deploy.lost-worker-timeout": f"{PATIENCE} s",
    # By default work would wait for ever where no worker can be started again.
    "distributed.scheduler.no-workers-timeout": f"{PATIENCE} s",
}


@contextmanager
def connected(scheduler: str | None = None) -> Iterator["Client"]:
    """Connect to a cluster with a worker.

    Parameters
    ----------
    scheduler : str, optional
        An address, such as "tls://10.0.0.5:8786". If none is given, that of the client
        in use; else that of Dask's settings (DASK_SCHEDULER_ADDRESS); else a cluster on
        this machine. A scheduler without TLS is used with a warning.
    """
    distributed = _import_distributed()
    import dask

    current = None
    if scheduler is None:
        try:
            current = distributed.Client.current()
        except ValueError:
            scheduler = dask.config.get("scheduler-address", None)
    if current is not None:
        _warn_without_tls(str(current.scheduler.address) if current.scheduler else "")
        yield _with_workers(current)
    elif scheduler is not None:
        _warn_without_tls(scheduler)  # before the first connection
        with _client(distributed, scheduler) as client:
            yield _with_workers(client)
    else:
        with local_cluster() as cluster, distributed.Client(cluster) as client:
            yield client


@contextmanager
def local_cluster(**options: Any) -> Iterator["LocalCluster"]:
    """Start a cluster that no other account of this machine can use.

    Dask's default is TCP without authentication: everybody who can connect runs code as
    the account that started the cluster. Here each connection needs a certificate made
    for this cluster and kept in memory, there are no web pages, and workers write to a
    folder of this account alone.

    Parameters
    ----------
    **options
        Of `distributed.LocalCluster`, such as ``n_workers=2, threads_per_worker=1``.

    Yields
    ------
    distributed.LocalCluster
    """
    distributed = _import_distributed()
    import dask

    private = tempfile.TemporaryDirectory(
        prefix="tlcourse-dask-", ignore_cleanup_errors=True
    )
    with (
        private as folder,
        dask.config.set(LOCAL_SETTINGS),
        distributed.LocalCluster(
            security=True,
            dashboard_address="127.0.0.1:0",  # the default is every address
            scheduler_kwargs={"dashboard": False},
            local_directory=folder,
            **options,
        ) as cluster,
    ):
        yield cluster


def _import_distributed() -> ModuleType:
    try:
        import distributed
    except ImportError:
        raise TLCourseError(
            f"Dask is not installed. {how_to_install('distributed')}, here and on "
            "every machine that is to work."
        ) from None
    return distributed


def _warn_without_tls(address: str) -> None:
    """Warn of a scheduler that anybody can use; no protocol means Dask's default."""
    import dask

    protocol, separator, _ = address.partition("://")
    if not separator:
        protocol = dask.config.get("distributed.comm.default-scheme", "tcp")
    if address and protocol not in AUTHENTICATED:
        warnings.warn(
            f"The Dask scheduler {address} speaks {protocol} without authentication: "
            "every account that can connect to it can run code as you. Start it with "
            "TLS (lesson 11), or with LocalCluster(security=True).",
            stacklevel=4,
        )


def _client(distributed: ModuleType, address: str) -> "Client":
    try:
        return distributed.Client(address)
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise TLCourseError(
            f"The Dask scheduler {address} cannot be reached ({reason}). For tls:// "
            "Dask needs certificates: DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
            "…__CLIENT__CERT and …__CLIENT__KEY name them (lesson 11)."
        ) from None


def _with_workers(client: "Client") -> "Client":
    from distributed import TimeoutError as DaskTimeout  # on Python 3.10 its own class

    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except DaskTimeout:
        address = client.scheduler.address if client.scheduler else "in use"
        raise TLCourseError(
            f"No worker has come to the scheduler {address} within {PATIENCE} s. On "
            f"each machine: dask worker {address}"
        ) from None
    return client
