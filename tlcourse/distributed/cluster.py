"""The Dask cluster that does the work: one that runs, or one on this machine."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..errors import TLCourseError, callers_level, how_to_install

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

PATIENCE = 60  # seconds for the first worker to come, or to be started again
AUTHENTICATED = ("tls", "wss", "inproc")  # only with a certificate, or this process


@contextmanager
def connected(scheduler: str | None = None) -> Iterator["Client"]:
    """Connect to a cluster with a worker.

    Parameters
    ----------
    scheduler : str, optional
        An address, such as "tls://10.0.0.5:8786". If none is given, that of the client
        in use; else that of Dask's settings (DASK_SCHEDULER_ADDRESS); else a cluster on
        this machine. A scheduler without TLS is used with a warning.

    Raises
    ------
    TLCourseError
        Dask is not installed, or there is no scheduler or no worker.
    """
    try:
        import dask
        import distributed
    except ImportError:
        how = how_to_install("distributed")
        raise TLCourseError(f"Dask is not installed, here at least. {how}.") from None
    client = None
    if scheduler is None:
        with suppress(ValueError):
            client = distributed.Client.current()
        scheduler = dask.config.get("scheduler-address", None)
    with ExitStack() as stack:
        if client is None and scheduler is None:
            cluster = stack.enter_context(local_cluster())
            client = stack.enter_context(distributed.Client(cluster))
        elif client is None:
            _warn_without_tls(str(scheduler))  # before the first connection
            try:
                client = stack.enter_context(distributed.Client(scheduler))
            except (OSError, TypeError, ValueError, RuntimeError) as error:
                raise TLCourseError(
                    f"The Dask scheduler {scheduler} cannot be reached ({error}). For "
                    "tls:// Dask needs certificates (see workshop/README.md)."
                ) from None
        elif client.scheduler:
            _warn_without_tls(client.scheduler.address)
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except distributed.TimeoutError:
            raise TLCourseError(
                f"No worker has come to the scheduler within {PATIENCE} s. On each "
                f"machine: dask worker {scheduler or 'ADDRESS'}"
            ) from None
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
    import dask
    import distributed

    settings = {
        "distributed.scheduler.http.routes": [],  # no web pages
        "distributed.worker.http.routes": [],
        "distributed.deploy.lost-worker-timeout": f"{PATIENCE} s",
        # By default work would wait for ever where no worker can be started again.
        "distributed.scheduler.no-workers-timeout": f"{PATIENCE} s",
    }
    private = tempfile.TemporaryDirectory(
        prefix="tlcourse-dask-", ignore_cleanup_errors=True
    )
    with (
        private as folder,
        dask.config.set(settings),
        distributed.LocalCluster(
            security=True,
            dashboard_address="127.0.0.1:0",  # the default is every address
            scheduler_kwargs={"dashboard": False},
            local_directory=folder,
            **options,
        ) as cluster,
    ):
        yield cluster


def _warn_without_tls(address: str) -> None:
    """Warn of a scheduler that anybody can use; no protocol means Dask's default."""
    import dask

    protocol, separator, _ = address.partition("://")
    if not separator:
        protocol = dask.config.get("distributed.comm.default-scheme", "tcp")
    if protocol not in AUTHENTICATED:
        warnings.warn(
            f"The Dask scheduler {address} speaks {protocol} without authentication: "
            "every account that can connect to it can run code as you. Start it with "
            "TLS (workshop/README.md), or with LocalCluster(security=True).",
            stacklevel=callers_level(),
        )
