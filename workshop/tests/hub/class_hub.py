"""A hub for a class, installed in a machine to throw away by its own scripts, with accounts made by its own script."""

import time
import urllib.request
from contextlib import contextmanager

from client import Learner
from machine import ROOT, Machine

HUB = ROOT / "workshop" / "hub"
ADDRESS = "http://127.0.0.1:8000"


@contextmanager
def class_hub(names: list[str], lessons: str, settings: str = ""):
    """A running hub: the machine that it is in, and the learners by name, none of them logged in.

    Args:
        names: of the accounts to make.
        lessons: to hand out, as `python -m workshop handout --lessons` takes them.
        settings: lines for /etc/tlcourse-hub.env, in place of those of hub.env.
    """
    with Machine(ROOT) as machine:
        machine.run(
            *("env", "-C", str(ROOT), ".venv/bin/python", "-m", "workshop", "handout"),
            "/tmp/class",
            "--lessons",
            lessons,
        )
        machine.run(str(HUB / "lessons.sh"), "/tmp/class/learners")
        # The machine has this one's network: the rules about the cloud's metadata are set in a network of their own.
        drop_in = "/etc/systemd/system/tlcourse-metadata.service.d/network.conf"
        machine.run(
            "install",
            "-D",
            "/dev/stdin",
            drop_in,
            stdin="[Service]\nPrivateNetwork=yes\n",
        )
        if settings:
            machine.run("tee", "/etc/tlcourse-hub.env", stdin=settings)
        machine.run(str(HUB / "install.sh"))
        machine.run("tee", "/tmp/class.txt", stdin="\n".join(names))
        printed = machine.run(str(HUB / "accounts.py"), "/tmp/class.txt").stdout
        _wait_for_an_answer()
        yield (
            machine,
            {
                name: Learner(ADDRESS, name, word)
                for name, word in map(str.split, printed.splitlines())
            },
        )


def _wait_for_an_answer() -> None:
    for _ in range(300):
        try:
            return urllib.request.urlopen(f"{ADDRESS}/hub/health").close()
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"The hub did not answer at {ADDRESS} within a minute.")
