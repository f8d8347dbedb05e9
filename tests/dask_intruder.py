"""Another account of this machine that attacks a Dask cluster; `run` gives what each attack came to.

The attacks run in a process of their own, which gives up root for the account 65534 ("nobody") before it connects.
"""

import asyncio
import json
import os
import ssl
import subprocess
import sys

NOBODY = 65534
PATIENCE = 3  # seconds for a connection


def what_is_missing() -> str:
    """Why this process cannot become another account; nothing if it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "only root can become another account"
    return ""


def run(addresses: list[str]) -> dict[str, dict[str, str]]:
    """Address → attack → the uid as which the code ran there, or the name of the error that refused it."""
    done = subprocess.run(
        [sys.executable, __file__, *addresses],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ran_as(results: dict[str, dict[str, str]]) -> set[str]:
    """The uids as which foreign code ran."""
    return {
        outcome
        for attacks in results.values()
        for outcome in attacks.values()
        if outcome.isdigit()
    }


def listening() -> set[str]:
    """Every address, as host:port, at which this process and those below it accept connections."""
    import psutil

    read = (
        getattr(psutil.Process, "net_connections", None) or psutil.Process.connections
    )  # before psutil 6
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    found = [
        one
        for process in processes
        for one in read(process)
        if one.status == psutil.CONN_LISTEN
    ]
    return {f"{one.laddr.ip}:{one.laddr.port}" for one in found}


def _become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


async def _attack(address: str, connection: dict) -> str:
    """Run a function in the process that listens there, as workers and nannies offer it, and as schedulers do."""
    from distributed.core import rpc
    from distributed.protocol.pickle import dumps

    outcome = ""
    for operation in ("run", "run_function"):
        try:
            async with rpc(
                address, timeout=PATIENCE, connection_args=connection
            ) as remote:
                call = getattr(remote, operation)(
                    function=dumps(os.getuid), args=dumps(()), kwargs=dumps({})
                )
                answer = await asyncio.wait_for(call, PATIENCE)
        except Exception as error:
            outcome = type(error).__name__
        else:
            outcome = (
                str(answer.get("result", answer))
                if isinstance(answer, dict)
                else str(answer)
            )
        if outcome.isdigit():
            break
    return outcome


async def _attacks(addresses: list[str]) -> dict[str, dict[str, str]]:
    from distributed.security import Security

    unknown = ssl.create_default_context()
    unknown.check_hostname, unknown.verify_mode = False, ssl.CERT_NONE
    ways = {
        "plain TCP": ("tcp", {}),
        "no certificate": ("tls", {"ssl_context": unknown, "require_encryption": True}),
        "own certificate": ("tls", Security.temporary().get_connection_args("client")),
    }
    each = [
        (address, name, *way) for address in addresses for name, way in ways.items()
    ]
    outcomes = await asyncio.gather(
        *(_attack(f"{kind}://{address}", args) for address, _, kind, args in each)
    )
    found: dict[str, dict[str, str]] = {address: {} for address in addresses}
    for (address, name, _, _), outcome in zip(each, outcomes, strict=True):
        found[address][name] = outcome
    return found


if __name__ == "__main__":
    import logging

    import dask
    import distributed  # all of it, while this is still root: another account may not see the files

    distributed.Client  # noqa: B018
    dask.config.set({"distributed.comm.timeouts.connect": f"{PATIENCE}s"})
    logging.disable(logging.CRITICAL)
    _become_nobody()
    print(json.dumps(asyncio.run(_attacks(sys.argv[1:]))))
