"""Another account of this machine that attacks a Dask cluster.

The attacks run in a process of their own, which gives up root for the account 65534
("nobody") before it connects.
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
    """Address → attack → the uid as which code ran there, or the error's name."""
    command = [sys.executable, __file__, *addresses]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ran_as(results: dict[str, dict[str, str]]) -> set[str]:
    """The uids as which foreign code ran."""
    outcomes = [each for attacks in results.values() for each in attacks.values()]
    return set(filter(str.isdigit, outcomes))


def listening() -> set[str]:
    """Each host:port at which this process and those below it accept connections."""
    import psutil

    found = []
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        # psutil before 6 calls it connections
        read = getattr(process, "net_connections", None) or process.connections
        found += [one for one in read() if one.status == psutil.CONN_LISTEN]
    return {f"{one.laddr.ip}:{one.laddr.port}" for one in found}


def _become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


async def _attack(address: str, connection: dict) -> str:
    """Run a function there, as workers and nannies offer it, and as schedulers do."""
    from distributed.core import rpc
    from distributed.protocol.pickle import dumps

    options = {"timeout": PATIENCE, "connection_args": connection}
    packed = {"function": dumps(os.getuid), "args": dumps(()), "kwargs": dumps({})}
    outcome = ""
    for operation in ("run", "run_function"):
        try:
            async with rpc(address, **options) as remote:
                call = getattr(remote, operation)(**packed)
                answer = await asyncio.wait_for(call, PATIENCE)
        except Exception as error:
            outcome = type(error).__name__
            continue
        is_dict = isinstance(answer, dict)
        outcome = str(answer.get("result", answer) if is_dict else answer)
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
    found: dict[str, dict[str, str]] = {address: {} for address in addresses}

    async def attack(address: str, name: str) -> None:
        kind, connection = ways[name]
        found[address][name] = await _attack(f"{kind}://{address}", connection)

    await asyncio.gather(*(attack(a, name) for a in addresses for name in ways))
    return found


if __name__ == "__main__":
    import logging

    import dask
    import distributed  # while this is still root: others may not see the files

    distributed.Client  # noqa: B018
    dask.config.set({"distributed.comm.timeouts.connect": f"{PATIENCE}s"})
    logging.disable(logging.CRITICAL)
    _become_nobody()
    print(json.dumps(asyncio.run(_attacks(sys.argv[1:]))))
