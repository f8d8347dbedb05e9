"""A machine to throw away, with systemd, users and services of its own, on this machine's network and files.

It is what the hub's tests and measurements need: accounts are made in it, services installed and limits enforced by
the kernel, and nothing of that is left on this machine. It needs root, systemd's files, overlayfs, and control groups
of version 1 that may be written to, as containers and sandboxes have them.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SYSTEMD = Path("/usr/lib/systemd/systemd")
GROUPS = Path("/sys/fs/cgroup")


def what_is_missing() -> str:
    """Why such a machine cannot be booted here, as a sentence; nothing if it can."""
    needed = [
        "node",
        "npm",
        "unshare",
        "nsenter",
        "setpriv",
        "pivot_root",
        "useradd",
        "runuser",
        "openssl",
    ]
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [name for name in needed if not shutil.which(name, path=path)]
    if os.name != "posix" or os.geteuid() != 0:
        return "A hub makes accounts and services: this needs root."
    if missing:
        return f"A hub is tested with programs that are not here: {', '.join(missing)}."
    if not SYSTEMD.is_file() or "overlay" not in Path("/proc/filesystems").read_text(
        encoding="utf-8"
    ):
        return "A hub is tested on a machine made of systemd and overlayfs, and one of them is not here."
    if not os.access(GROUPS / "memory" / "cgroup.procs", os.W_OK):
        return "A hub's limits are tested with control groups of version 1 that may be written to; there are none here."
    return ""


class Machine:
    """Boot it in a `with` block; `run` runs a command in it, as root.

    Args:
        writable: folders of this machine that it may write to; what it writes stays in memory and goes with it.
    """

    def __init__(self, *writable: Path):
        self._writable = writable
        self._pid = 0

    def __enter__(self) -> "Machine":
        self._scratch = Path(tempfile.mkdtemp(prefix="tlcourse-machine-"))
        try:
            self._groups = list(_new_groups(self._scratch.name))
            namespaces = [
                "--mount",
                "--pid",
                "--uts",
                "--ipc",
                "--cgroup",
                "--fork",
                "--kill-child",
            ]
            boot = [
                "bash",
                str(Path(__file__).with_name("machine.sh")),
                str(self._scratch),
                *map(str, self._writable),
            ]
            self._process = subprocess.Popen(
                # It goes when this process does, whatever ends it.
                ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, *boot],
                stdin=subprocess.DEVNULL,
                preexec_fn=self._enter_groups,
            )
            self._wait_until_booted()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *reason) -> None:
        if hasattr(self, "_process"):
            self._process.kill()  # and with it, by --kill-child, the first process of the namespace and so all others
            self._process.wait()
        for group in self._groups:
            _remove(group)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def run(
        self, *command: str, check: bool = True, stdin: str = "", seconds: float = 600
    ):
        """Run a command there and wait for it; a `CompletedProcess` with text."""
        inside = [
            "nsenter",
            "--target",
            str(self._pid),
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--cgroup",
            "--",
        ]
        done = subprocess.run(
            [*inside, *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        if check and done.returncode:
            raise RuntimeError(
                f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            )
        return done

    def _enter_groups(self) -> None:
        for group in self._groups:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    def _wait_until_booted(self) -> None:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for _ in range(1800):
            if self._process.poll() is not None:
                raise RuntimeError(
                    "The machine did not boot: what went wrong is written above."
                )
            self._pid = int(([*children.read_text().split(), "0"])[0])
            if self._pid and self._is_running():
                return
            time.sleep(0.1)
        raise RuntimeError("The machine did not boot within three minutes.")

    def _is_running(self) -> bool:
        if Path(f"/proc/{self._pid}/comm").read_text().strip() != "systemd":
            return False
        return self.run(
            "systemctl", "is-system-running", check=False
        ).stdout.strip() in ("running", "degraded")


def _new_groups(name: str):
    """A control group of each kind, below the one that this process is in."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        above = (
            GROUPS / (kinds.removeprefix("name=") or "unified") / path.lstrip("/")
        )  # unified: version 2, beside 1
        if not above.is_dir():
            continue
        group = above / name
        group.mkdir()
        if kinds == "cpuset":  # empty until they are set, and then nobody may come in
            for setting in ("cpuset.cpus", "cpuset.mems"):
                (group / setting).write_text((above / setting).read_text())
        if (
            kinds == "cpu" and os.nice(0) > 0
        ):  # in a group of its own, being nice would count for nothing
            (group / "cpu.shares").write_text("15")
        yield group


def _remove(group: Path) -> None:
    """Remove a control group and those below it; the kernel takes a moment to see that their processes are gone."""
    for _ in range(50):
        try:
            for below, _, _ in os.walk(group, topdown=False):
                os.rmdir(below)
            return
        except OSError:
            time.sleep(0.1)
