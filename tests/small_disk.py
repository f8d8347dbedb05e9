"""A disk of a few megabytes, really mounted: for tests that fill it."""

import os
import subprocess
from pathlib import Path

import pytest


class SmallDisk:
    """A tmpfs at `path`. `fill` leaves so much room; `grow` makes it ample."""

    def __init__(self, path: Path, kilobytes: int):
        self.path, self._ballast = path, path / "ballast"
        path.mkdir(exist_ok=True)
        done = subprocess.run(
            [
                "mount",
                "-t",
                "tmpfs",
                "-o",
                f"size={kilobytes}k,mode=755",
                "tmpfs",
                str(path),
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise PermissionError(
                f"a small disk could not be mounted ({done.stderr.strip()})"
            )

    def free(self) -> int:
        """Bytes."""
        return os.statvfs(self.path).f_bavail * os.statvfs(self.path).f_frsize

    def fill(self, leaving: int = 0) -> None:
        self._ballast.write_bytes(bytes(max(0, self.free() - leaving)))

    def grow(self, megabytes: int = 500) -> None:
        self._remount(f"rw,size={megabytes}m")
        self._ballast.unlink(missing_ok=True)

    def _remount(self, options: str) -> None:
        command = ["mount", "-o", f"remount,{options}", str(self.path)]
        subprocess.run(command, check=True)

    def set_read_only(self) -> None:
        """Until `grow`."""
        self._remount("ro")

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=False)


def cannot_be_made(reason: str) -> None:
    """Skip a test whose fault cannot be made here; with TLCOURSE_FAULTS=required it fails instead."""
    if os.environ.get("TLCOURSE_FAULTS") == "required":
        pytest.fail(f"TLCOURSE_FAULTS=required, but {reason}")
    pytest.skip(f"this fault cannot be made here: {reason}")
