"""Is this commit fit to be released? Each line of the checklist is a check that a program makes.

    python tools/release.py              all of it, or `make release` (about an hour)
    python tools/release.py wheel site   these lines alone
    python tools/release.py --list       what each line looks at

What a check printed is in build/release/NAME.txt. At the end: how many passed, and what only a person can see.
"""

import argparse
import datetime
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "release"
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-site.txt")
MEASURED = (
    "machine",
    "measured",
    "demo",
    "lessons",
    "faults",
    "matrix",
)
BY_HAND = (
    "Colab: open lesson 00 by its link, run all cells; the first cell says that no installed version was changed.",
    "Binder: open the link of the README, run lesson 00.",
    "With internet and an empty home: tlcourse fetch dogs minilm efficientnet_v2_b0; then lesson 03.",
    "The tag, once all this is done: git tag -a v{version} -m 'tlcourse {version}'; git push --tags.",
)


class NotReady(Exception):
    """Why this commit cannot be released yet, and what to do."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", help=f"out of {', '.join(CHECKS)}; none: all"
    )
    parser.add_argument(
        "--list", action="store_true", help="say what each looks at, check nothing"
    )
    arguments = parser.parse_args()
    if set(arguments.names) - set(CHECKS):
        parser.error(
            f"there are no checks {', '.join(sorted(set(arguments.names) - set(CHECKS)))}"
        )
    if arguments.list:
        print("\n".join(f"{name:10} {check.__doc__}" for name, check in CHECKS.items()))
        return
    LOGS.mkdir(parents=True, exist_ok=True)
    failed = [name for name in arguments.names or CHECKS if not passes(name)]
    print(
        "\nFor a person:",
        *(f"  [ ] {line.format(version=version())}" for line in BY_HAND),
        sep="\n",
    )
    if failed:
        sys.exit(f"\nNot ready: {', '.join(failed)}.")
    print("\nReady, as far as a program can see.")


def passes(name: str) -> bool:
    start = time.perf_counter()
    try:
        said, mark = CHECKS[name](), "x"
    except NotReady as reason:
        said, mark = str(reason), " "
    print(
        f"[{mark}] {name:10} {time.perf_counter() - start:5.0f} s  {said}", flush=True
    )
    return mark == "x"


def committed() -> str:
    """everything is committed, on main"""
    changed = run("git", "status", "--porcelain").strip()
    if changed:
        raise NotReady(
            f"{len(changed.splitlines())} files are not committed. Run: git status"
        )
    branch = run("git", "branch", "--show-current").strip()
    if branch != "main":
        raise NotReady(
            f"this is branch {branch or '(none)'}; releases are cut from main."
        )
    return run("git", "log", "-1", "--format=%h %s").strip()


def changelog() -> str:
    """CHANGELOG.md begins with this version and a date, and the version has no tag yet"""
    return check_changelog(
        (ROOT / "CHANGELOG.md").read_text("utf-8"),
        version(),
        run("git", "tag").split(),
        today(),
    )


def check_changelog(text: str, number: str, tags: list[str], now: datetime.date) -> str:
    found = re.search(
        r"^## (\S+) \((\d{4}-\d\d-\d\d|unreleased)\)$", text, re.MULTILINE
    )
    if not found or found[1] != number:
        raise NotReady(
            f"its first section is {found[1] if found else 'missing'}; pyproject.toml says {number}."
        )
    if found[2] == "unreleased":
        raise NotReady(
            f"the section of {number} says unreleased. Put the day of the release there."
        )
    if datetime.date.fromisoformat(found[2]) > now:
        raise NotReady(f"{number} is dated {found[2]}, which is still to come.")
    if f"v{number}" in tags:
        raise NotReady(
            f"v{number} is tagged already. Raise the version in pyproject.toml."
        )
    return f"{number}, {found[2]}"


def citation() -> str:
    """CITATION.cff is of this version and, once that is dated, of that day"""
    dated = re.search(
        r"^## \S+ \((\S+)\)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    return check_citation(text, version(), dated[1] if dated else "unreleased")


def check_citation(text: str, number: str, dated: str) -> str:
    """What the format requires is there, and agrees with pyproject.toml and CHANGELOG.md (cffconvert checks the rest)."""
    found = dict(re.findall(r"^([\w-]+): *(.*)$", text, re.MULTILINE))
    for name in ("cff-version", "message", "title", "authors", "version"):
        if name not in found:
            raise NotReady(f"CITATION.cff has no {name}.")
    if found["cff-version"] != "1.2.0":
        raise NotReady(f"cff-version is {found['cff-version']}, expected 1.2.0.")
    if found["version"] != number:
        raise NotReady(f"version is {found['version']}; pyproject.toml says {number}.")
    released = found.get("date-released", "unreleased")
    if released != dated:
        raise NotReady(f"released {released}; CHANGELOG.md says {dated}.")
    return f"{number}, {released}"


def lock() -> str:
    """`make lock` changes nothing: the locks are those of pyproject.toml"""
    before = {name: (ROOT / name).read_bytes() for name in LOCKS}
    try:
        run("make", "lock", log="lock")
        changed = [
            name for name, text in before.items() if (ROOT / name).read_bytes() != text
        ]
    finally:
        for name, text in before.items():
            (ROOT / name).write_bytes(text)
    if changed:
        raise NotReady(
            f"{' and '.join(changed)} would change. Run: make lock; then all tests."
        )
    return f"{sum(text.count(b'==') for text in before.values())} packages"


def audit() -> str:
    """no locked package has a published vulnerability (pip-audit, which asks its database)"""
    command = [
        ".venv/bin/uv",
        "tool",
        "run",
        "pip-audit",
        "--disable-pip",
        "--require-hashes",
        "--format",
        "json",
    ]
    said = run(
        *command,
        *(word for name in LOCKS for word in ("-r", name)),
        log="audit",
        may_fail=True,
    )
    return check_audit(said)


def check_audit(said: str) -> str:
    """pip-audit says "no known vulnerabilities" also of packages that it could not look up: these are counted."""
    try:
        packages = json.loads(said[said.index("{") :])["dependencies"]
    except ValueError:
        raise NotReady(
            "pip-audit did not answer; see build/release/audit.txt."
        ) from None
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    bad = [
        f"{package['name']} ({package['vulns'][0]['id']})"
        for package in packages
        if package.get("vulns")
    ]
    if bad:
        raise NotReady(
            f"{', '.join(bad)}. Run: make lock UPGRADE=yes; or say in CHANGELOG.md why it does not matter."
        )
    if skipped:
        raise NotReady(
            f"{len(skipped)} of {len(packages)} packages could not be looked up. It needs the internet."
        )
    return f"{len(packages)} packages, nothing known"


def links() -> str:
    """links and set-up cells are those of the address in pyproject.toml, and that has this project"""
    before = run("git", "status", "--porcelain")
    run(".venv/bin/python", "authoring/build.py", "--stamp", log="links")
    if run("git", "status", "--porcelain") != before:
        raise NotReady(
            "links carried another address. They are mended; look at them (git diff) and commit."
        )
    if not tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
        "tlcourse"
    ]["repository"]:
        return "none: no address is verified yet (make publish-check)"
    return run(PYTHON, "tools/publish.py", log="links").strip()


def measured() -> str:
    """what the README and the lessons say was measured with the locked versions"""
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text("utf-8"))
    return check_measured(results, (ROOT / "requirements.txt").read_text("utf-8"))


def check_measured(results: dict, locked: str) -> str:
    absent = [name for name in MEASURED if name not in results]
    if absent:
        raise NotReady(
            f"nothing was measured of {', '.join(absent)}. CONTRIBUTING.md names the commands."
        )
    pins = dict(re.findall(r"^([\w.-]+)(?:\[.*?\])?==([\w.]+)", locked, re.MULTILINE))
    versions = results["machine"]["versions"].items()
    old = [
        f"{name} {had} (now {pins[name]})"
        for name, had in versions
        if pins.get(name, had) != had
    ]
    if old:
        raise NotReady(f"measured with {', '.join(old)}. Run: make results")
    days = sorted(note["date"] for note in results["measured"].values())
    return f"from {days[0]} to {days[-1]}"


def learn() -> str:
    """`make learn` in a fresh clone: the demo runs, and JupyterLab answers with lesson 00"""
    with (
        fresh_clone() as clone,
        (LOGS / "learn.txt").open("w", encoding="utf-8") as log,
    ):
        command = ["make", "learn", "BROWSER=no"]
        lab = subprocess.Popen(
            command,
            cwd=clone,
            stdout=log,
            stderr=log,
            env=environment(),
            start_new_session=True,
        )
        try:
            while lab.poll() is None:
                found = re.search(
                    r"http://127\S+",
                    (LOGS / "learn.txt").read_text("utf-8", errors="replace"),
                )
                if found:
                    with urllib.request.urlopen(found[0], timeout=60) as answer:  # noqa: S310 (this machine's own)
                        return f"answers with {answer.status} at {answer.url.split('?')[0]}"
                time.sleep(1)
        finally:
            if lab.poll() is None:
                os.killpg(lab.pid, signal.SIGTERM)
                lab.wait()
    raise NotReady("it ended by itself; see build/release/learn.txt.")


def tests() -> str:
    """`make test` and `make test-slow`, in a fresh clone"""
    with fresh_clone() as clone:
        for target in ("test", "test-slow"):
            run("make", target, log=target, folder=clone)
    return "both passed"


@contextmanager
def fresh_clone() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "tlcourse")
        run("git", "clone", "--quiet", str(ROOT), str(clone))
        packs = ROOT.parent / "shared"
        if packs.is_dir():
            Path(folder, "shared").symlink_to(packs)
        yield clone


def wheel() -> str:
    """a wheel of at most 45 MB, installed into an empty environment, runs the three calls and the demo in an empty folder"""
    with tempfile.TemporaryDirectory() as folder:
        run(
            ".venv/bin/uv",
            "build",
            "--wheel",
            "--no-build-isolation",
            "--python",
            PYTHON,
            "--out-dir",
            folder,
        )
        (built,) = Path(folder).glob("*.whl")
        about = check_size(built)
        home, python = (
            Path(folder, "home"),
            Path(folder, "environment", "bin", "python"),
        )
        home.mkdir()
        run(PYTHON, "-m", "venv", str(python.parent.parent))
        # What is in .venv, except its own tlcourse: a folder that is named in a .pth has no .pth of its own read.
        places = [
            run(str(which), "-c", SITE_PACKAGES).strip() for which in (python, PYTHON)
        ]
        Path(places[0], "locked.pth").write_text(places[1], encoding="utf-8")
        run(str(python), "-m", "pip", "install", "--quiet", "--no-deps", str(built))
        said = run(str(python), "-c", WHERE, folder=home)
        if not said.startswith(str(python.parent.parent)):
            raise NotReady(f"the wheel was not what was run, but {said.strip()}.")
        run(str(python), "-c", THREE_CALLS, folder=home, cache=Path(folder, "cache"))
        run(
            str(python.with_name("tlcourse")),
            "demo",
            log="wheel",
            folder=home,
            cache=Path(folder, "cache"),
        )
        return about


def check_size(built: Path) -> str:
    """A wheel's name and size, which learners on slow lines download."""
    megabytes = built.stat().st_size / 1e6
    if megabytes > LARGEST_WHEEL:
        raise NotReady(
            f"{built.name} has {megabytes:.1f} MB, expected at most {LARGEST_WHEEL}."
        )
    return f"{built.name}, {megabytes:.1f} MB"


LARGEST_WHEEL = 45  # MB
THREE_CALLS = """
import tlcourse as tl

new_images = tl.load_dataset("samples").test.images
new_labels = ["alive", "thing", "alive", "thing", "thing", "thing"]
model = tl.load_pretrained_model()
features = model.extract_features(new_images)
new_classifier = tl.train_classifier(features, new_labels)
print(new_classifier.predict(features))
"""
SITE_PACKAGES = "import sysconfig; print(sysconfig.get_path('purelib'))"
WHERE = "import tlcourse; print(tlcourse.__file__)"


def site() -> str:
    """`make site`: no warning, no broken link, nothing from another host"""
    return run("make", "site", log="site").strip().splitlines()[-1]


def handouts() -> str:
    """learners' handouts are made, and no solution is in them (looked for in what was written)"""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "handouts")
        run(PYTHON, "-m", "workshop", "handout", str(out), log="handouts")
        return f"{sum(path.is_file() for path in out.rglob('*'))} files"


CHECKS: dict[str, Callable[[], str]] = {
    check.__name__: check
    for check in (
        committed,
        changelog,
        citation,
        links,
        lock,
        audit,
        measured,
        handouts,
        site,
        wheel,
        learn,
        tests,
    )
}
PYTHON = str(ROOT / ".venv" / "bin" / "python")


def version() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "version"
    ]


def today() -> datetime.date:
    return datetime.date.today()


def environment(**settings: str) -> dict[str, str]:
    """This one's, in which Python keeps its bytecode."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE"
    } | settings


def run(
    *command: str,
    log: str = "",
    folder: Path = ROOT,
    cache: Path | None = None,
    may_fail: bool = False,
) -> str:
    """What a command prints; all of it goes to its log.

    Raises:
        NotReady: it failed; its last line.
    """
    settings = environment(**{"TLCOURSE_CACHE": str(cache)} if cache else {})
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        env=settings,
    )
    if log:
        (LOGS / f"{log}.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode and not may_fail:
        last = ([""] + (done.stdout + done.stderr).strip().splitlines())[-1]
        where = f"; see build/release/{log}.txt" if log else ""
        raise NotReady(f"{' '.join(command[:4])} failed{where}: {last[:200]}")
    return done.stdout


if __name__ == "__main__":
    main()
