"""Nothing is installed from, and nothing links to, an address that was not verified to be this project's."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "authoring"), str(ROOT / "tools")]
import build  # noqa: E402
import publish  # noqa: E402

LESSONS = [source.stem for source in sorted(build.SOURCES.glob("*.py"))]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ADDRESS = build.Published("https://github.com/someone/course", COMMIT)
# pip is asked for this project by its name alone; an address after the name is what the set-up cell's tests look at.
BY_NAME = re.compile(
    r"""install\b(?:\s+-{1,2}[\w-]+)*\s+["'\\]*tlcourse(?:\[[\w, ]*\])?["'\\]*(?![\w/.\- \[]|\s*@)"""
)


def run_cell(code, *, colab, importable=False):
    """Run a set-up cell in a Python without packages; installing is printed instead of done."""
    prelude = "import sys, types\n"
    if colab:
        prelude += "sys.modules['google.colab'] = types.ModuleType('google.colab')\n"
    if importable:
        prelude += (
            "import importlib.machinery, importlib.util\n"
            "importlib.util.find_spec = lambda name: importlib.machinery.ModuleSpec(name, None)\n"
        )
    prelude += "class get_ipython:\n    def __getattr__(self, name): return lambda *words: print(name, *words)\n"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", prelude + code],
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("colab", [False, True])
@pytest.mark.parametrize("lesson", [LESSONS[0], "10_search"])
def test_without_a_verified_address_the_set_up_cell_installs_nothing(lesson, colab):
    done = run_cell(build.set_up(lesson, None), colab=colab)
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.strip().splitlines()[-1]
    assert (
        last.startswith("ModuleNotFoundError")
        and "make learn" in last
        and "pip install '.[cpu" in last
    )


@pytest.mark.parametrize("lesson", LESSONS)
def test_on_colab_the_verified_commit_is_installed(lesson):
    done = run_cell(build.set_up(lesson, ADDRESS), colab=True)
    assert done.returncode == 0, done.stderr
    pip, *then = done.stdout.splitlines()
    course = re.fullmatch(
        r'run_line_magic pip install -q "tlcourse(\[distributed\])? @ git\+(\S+)"( optuna==[\d.]+)?',
        pip,
    )
    assert course and course[2] == f"https://github.com/someone/course@{COMMIT}"
    assert then == (["system tlcourse fetch minilm"] if lesson.startswith("07") else [])


@pytest.mark.parametrize(
    ("repository", "revision"),
    [
        ("http://github.com/a/b", COMMIT),
        ("https://example.org/a/b", COMMIT),
        ("https://github.com/a", COMMIT),
        ("https://github.com/a/b", "main"),
    ],
)
def test_an_address_that_is_not_encrypted_or_not_pinned_is_refused(
    repository, revision
):
    with pytest.raises(SystemExit, match="expected"):
        build.Published(repository, revision)


def test_an_address_with_another_file_than_this_projects_is_refused(monkeypatch):
    answers = {"theirs": b"[project]", "ours": b"[tool]"}
    monkeypatch.setattr(publish, "git", lambda *_: answers["ours"])
    monkeypatch.setattr(
        publish.urllib.request,
        "urlopen",
        lambda *_, **__: io.BytesIO(answers["theirs"]),
    )
    with pytest.raises(publish.NotPublished, match="not this project's file"):
        publish.check(ADDRESS.repository, COMMIT)
    answers["theirs"] = answers["ours"]
    publish.check(ADDRESS.repository, COMMIT)


def test_an_address_that_does_not_answer_is_refused(no_internet):
    with pytest.raises(publish.NotPublished, match="could not be read"):
        publish.check(ADDRESS.repository, COMMIT)


# What stands in the files


def texts():
    """What learners and teachers read or run, as (path, text)."""
    folders = (
        "tlcourse",
        "authoring",
        "notebooks",
        "docs",
        "workshop",
        "binder",
        "data",
    )
    kinds = {".py", ".md", ".ipynb", ".sh", ".yml", ".yaml", ".toml", ""}
    paths = [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in kinds
    ]
    paths += [
        path
        for path in sorted(ROOT.glob("*"))
        if path.suffix in {".md", ".yml", ".toml"}
    ]
    for path in paths:
        if path.is_file() and not {"_build", "__pycache__", ".ipynb_checkpoints"} & set(
            path.parts
        ):
            yield (
                path.relative_to(ROOT).as_posix(),
                path.read_text(encoding="utf-8", errors="replace"),
            )


def test_nothing_advises_installing_the_project_by_its_name():
    """The package index gives that name to anybody who asks for it first."""
    advice = {
        name: found[0] for name, text in texts() if (found := BY_NAME.search(text))
    }
    assert advice == {}


ELSEWHERE = re.compile(
    r"colab\.research\.google\.com|mybinder\.org/v2|github\.com/(?!OWNER)"
)


def test_without_a_verified_address_no_lesson_and_no_page_links_to_one():
    if build.published():
        pytest.skip("an address is verified: the links lead somewhere")
    read = {
        name: text
        for name, text in texts()
        if name.endswith((".md", ".ipynb")) and not name.startswith("data/")
    }
    links = {name: ELSEWHERE.findall(text) for name, text in read.items()}
    assert {name: found for name, found in links.items() if found} == {}
    assert "README.md" in read and "notebooks/00_start.ipynb" in read


def test_with_an_address_a_lesson_links_to_it_and_nowhere_else():
    first = build.with_links("# A lesson", "00_start", ADDRESS)
    hosts = re.findall(r"https://[^)]+", first)
    assert [url.split("/")[2] for url in hosts] == [
        "colab.research.google.com",
        "mybinder.org",
    ]
    assert all("someone/course" in url for url in hosts)
