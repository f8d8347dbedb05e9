#!/usr/bin/env python3
"""Install the hub's proxy, an npm package, exactly as it was locked: every package with its version and SHA-512.

proxy.py install FOLDER   download what proxy.txt lists, compare, and unpack it into FOLDER; nothing of it is run
proxy.py lock VERSION     write proxy.txt anew for this version of configurable-http-proxy
"""

import base64
import hashlib
import io
import json
import os
import pwd
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

LOCK = Path(__file__).with_name("proxy.txt")
PROXY = "configurable-http-proxy"
ACCOUNT = "tlcourse-warm"  # downloads, where install.sh has made it
QUIET = ["--ignore-scripts", "--silent", "--no-audit", "--no-fund"]


def read_lock(path: Path = LOCK) -> list[tuple[str, str, str]]:
    """(where it is unpacked, version, integrity) of each package."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [tuple(line.split()) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


def package_name(place: str) -> str:
    """node_modules/a/node_modules/@b/c → @b/c."""
    return place.rpartition("node_modules/")[2]


def file_name(name: str, version: str) -> str:
    """What `npm pack` calls a package's archive."""
    return f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"


def integrity(content: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def download(packages: list[tuple[str, str, str]], folder: Path) -> None:
    """The archives, by `npm pack`, which runs nothing of them, and which is not run by root where that can be."""
    specs = sorted(
        {f"{package_name(place)}@{version}" for place, version, _ in packages}
    )
    command, environment = (
        ["npm", "pack", *QUIET, *specs],
        {**os.environ, "HOME": str(folder)},
    )
    account = {}
    if os.geteuid() == 0 and any(entry.pw_name == ACCOUNT for entry in pwd.getpwall()):
        account = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []}
        shutil.chown(folder, ACCOUNT)
    subprocess.run(
        command,
        cwd=folder,
        env=environment,
        **account,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def files_of(content: bytes, name: str) -> dict[PurePosixPath, tuple[bytes, bool]]:
    """Path inside the package → its content, and whether it can be executed."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive.getmembers():
            path = PurePosixPath(
                *PurePosixPath(member.name).parts[1:]
            )  # without the folder that all of them are in
            if member.isdir():
                continue
            if not member.isfile() or ".." in path.parts or not path.parts:
                sys.exit(
                    f"{name} holds {member.name}, which is no plain file inside it. Nothing was installed."
                )
            found[path] = archive.extractfile(member).read(), bool(member.mode & 0o100)
    return found


def unpack(
    packages: list[tuple[str, str, str]], downloaded: Path, folder: Path
) -> None:
    """All of them; an archive that is not the one that was locked ends it."""
    for place, version, expected in packages:
        name = package_name(place)
        archive = downloaded / file_name(name, version)
        content = (
            archive.read_bytes() if archive.is_file() else b""
        )  # read once: what is compared is what is unpacked
        if integrity(content) != expected:
            sys.exit(
                f"{name} {version} is not what {LOCK.name} lists. Nothing was installed."
            )
        for path, (data, executable) in files_of(content, name).items():
            file = folder / place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod(0o755 if executable else 0o644)


def install(target: Path) -> None:
    if (target / LOCK.name).is_file() and (
        target / LOCK.name
    ).read_bytes() == LOCK.read_bytes():
        return
    packages = read_lock()
    fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=".node-"))
    try:
        fresh.chmod(0o755)
        with tempfile.TemporaryDirectory() as downloaded:
            download(packages, Path(downloaded))
            unpack(packages, Path(downloaded), fresh)
        shutil.copyfile(LOCK, fresh / LOCK.name)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def lock(version: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "npm",
            "install",
            *QUIET,
            "--package-lock-only",
            "--omit=dev",
            f"{PROXY}@{version}",
        ]
        subprocess.run(command, cwd=folder, check=True)
        found = json.loads(
            Path(folder, "package-lock.json").read_text(encoding="utf-8")
        )["packages"]
    lines = [
        f"{place} {one['version']} {one['integrity']}"
        for place, one in sorted(found.items())
        if place
    ]
    head = [
        f"# Made by: proxy.py lock {version}",
        "# Place, version, SHA-512 of the archive.",
    ]
    LOCK.write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in ("install", "lock"):
        sys.exit(__doc__)
    install(Path(sys.argv[2])) if sys.argv[1] == "install" else lock(sys.argv[2])


if __name__ == "__main__":
    main()
