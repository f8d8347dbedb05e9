"""Is the course's repository at its public address? Only then do lessons, README and site link to it.

    python tools/publish.py                                   ask the address in pyproject.toml
    python tools/publish.py https://github.com/OWNER/NAME     ask this one, write it there, renew all links

The address is asked for pyproject.toml as it is in one commit, which has to be this repository's, byte for byte.
"""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "authoring"))
import build  # noqa: E402

KNOWN_FILE = "pyproject.toml"
SECONDS = 30


class NotPublished(Exception):
    """The address does not have this project; what was asked for, and what to do."""


def main() -> None:
    try:
        if len(sys.argv) > 1:
            address = build.Published(
                sys.argv[1].removesuffix("/").removesuffix(".git"), head()
            )
            check(address.repository, address.revision)
            write(address, ROOT / "pyproject.toml")
            for path in build.stamp():
                print(f"stamped {path.relative_to(ROOT)}")
        elif (address := build.published()) is None:
            sys.exit(
                "pyproject.toml has no address yet, so nothing links to one. Once the repository is public, run: "
                "make publish-check REPOSITORY=https://github.com/OWNER/NAME"
            )
        else:
            check(address.repository, address.revision)
    except NotPublished as reason:
        sys.exit(str(reason))
    print(f"{address.repository} has this project at commit {address.revision[:12]}.")


def head() -> str:
    return git("rev-parse", "HEAD").decode().strip()


def git(*arguments: str) -> bytes:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, check=True
    ).stdout


def check(repository: str, revision: str) -> None:
    """Ask an address for a file of one commit.

    Raises
    ------
    NotPublished
        The address does not answer, has no such commit, or has another file there.
    """
    url = f"{repository}/raw/{revision}/{KNOWN_FILE}"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 (https, as Published sees to)
            received = answer.read(1_000_000)
    except OSError as error:
        raise NotPublished(
            f"{url} could not be read ({error}). Push this commit there first."
        ) from error
    if received != git("show", f"{revision}:{KNOWN_FILE}"):
        raise NotPublished(
            f"{url} is not this project's file. Nothing may be installed from there."
        )


def write(address: build.Published, file: Path) -> None:
    """Write the address and the commit into pyproject.toml."""
    text = file.read_text(encoding="utf-8")
    for name in ("repository", "revision"):
        text = re.sub(
            rf'(?m)^{name} = ".*"$', f'{name} = "{getattr(address, name)}"', text
        )
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
