"""What the build scripts in data/*/build.py share: fetching with pip and apt, writing arrays, keeping cards true.

Only a maintainer who rebuilds the bundled data needs this; `tlcourse` itself never imports it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def require_sha256(data: bytes, expected: str, what: str) -> bytes:
    """Return `data` unchanged; stop the build with a sentence where its SHA-256 is not `expected`."""
    found = sha256(data)
    if found != expected:
        raise SystemExit(
            f"{what} has SHA-256 {found}, expected {expected}. It is not the file this script was "
            "written for; nothing was built."
        )
    return data


def pip_command() -> list[str]:
    """Return the start of a pip command line: this Python's own pip, or the one on PATH where it has none."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    on_path = shutil.which("pip")
    if on_path is None:
        raise SystemExit(
            "No pip here. Install it into this environment, or give the build script its file by hand."
        )
    return [on_path]


def pip_download(requirement: str, folder: Path, *options: str) -> Path:
    """Let pip download one file for `requirement`, from whichever index pip is configured to use.

    Returns the path of the file in `folder`. Stops with pip's own last lines where it fails.
    """
    command = [
        *pip_command(),
        "download",
        "--no-deps",
        "--dest",
        str(folder),
        *options,
        requirement,
    ]
    finished = subprocess.run(command, capture_output=True, text=True)
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    if finished.returncode or len(files) != 1:
        raise SystemExit(
            f"pip could not download {requirement!r}:\n{(finished.stdout + finished.stderr)[-1500:]}"
        )
    return files[0]


def apt_download(package: str, folder: Path) -> Path:
    """Let apt-get download one Debian package, "name" or "name=version"; its path in `folder`."""
    command = ["apt-get", "download", package]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    files = sorted(folder.glob("*.deb"))
    if finished.returncode or len(files) != 1:
        raise SystemExit(
            f"apt-get could not download {package!r}:\n{(finished.stdout + finished.stderr)[-1500:]}"
        )
    return files[0]


def save_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write a compressed .npz that needs no pickle to read.

    NumPy stamps every member with 1980-01-01, so equal arrays give equal bytes (with the same zlib).
    """
    for name, array in arrays.items():
        if array.dtype == object:
            raise TypeError(
                f"{name} has dtype object, which only a pickle can hold. Give it a plain dtype."
            )
    np.savez_compressed(path, **arrays)


def require_same_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Stop with a sentence where the arrays just built differ from those in the committed .npz at `path`."""
    with np.load(path, allow_pickle=False) as committed:
        if sorted(committed.files) != sorted(arrays):
            raise SystemExit(
                f"{path.name} holds {sorted(committed.files)}, but this build makes {sorted(arrays)}."
            )
        differing = [
            name
            for name, array in arrays.items()
            if committed[name].dtype != array.dtype
            or not np.array_equal(committed[name], array)
        ]
    if differing:
        raise SystemExit(
            f"{path.name} differs from this build in: {', '.join(differing)}."
        )
    print(f"{path.name}: every array is the same as in this build.")


def write_or_compare(folder: Path, contents: dict[str, str], *, check: bool) -> None:
    """Write text files, named with their content, and record them in the folder's card.

    With `check`, nothing is written: stops with a sentence where a committed file differs.
    """
    paths = {folder / name: content.encode() for name, content in contents.items()}
    if check:
        for path, content in paths.items():
            if not path.is_file() or path.read_bytes() != content:
                raise SystemExit(f"{path.name} differs from this build.")
            print(f"{path.name}: the same as in this build.")
        return
    for path, content in paths.items():
        path.write_bytes(content)
    record_files(folder / "CARD.md", list(paths))


def record_files(card: Path, files: list[Path]) -> None:
    """Rewrite the `files:` list in the front matter of `card` from the files as they lie on disk.

    The card is the one place where a checksum stands, and this function is the one way it gets there.
    """
    lines = ["files:"]
    for path in files:
        data = path.read_bytes()
        lines += [
            f"  - name: {path.name}",
            f"    sha256: {sha256(data)}",
            f"    bytes: {len(data)}",
        ]
        print(f"{path.name}: {len(data):,} bytes, SHA-256 {sha256(data)}")
    text = card.read_text(encoding="utf-8")
    front_matter = re.match(r"---\n.*?\n---\n", text, flags=re.DOTALL)
    if front_matter is None:
        raise SystemExit(
            f"{card} does not begin with a front matter between '---' lines."
        )
    head, found = re.subn(
        r"^files:.*?(?=^\S)",
        "\n".join(lines) + "\n",
        front_matter.group(),
        flags=re.DOTALL | re.MULTILINE,
    )
    if found != 1:
        raise SystemExit(
            f"{card} has {found} `files:` lists in its front matter, expected one."
        )
    card.write_text(head + text[front_matter.end() :], encoding="utf-8", newline="\n")
