"""The four ways to install the course (make, pip, conda, Binder) promise the same packages.

pyproject.toml is the one place where a dependency is declared; requirements.txt, environment.yml and binder/
follow it.
"""

import json
import re
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tlcourse.cards import read_card

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
PYTHONS = ["3.10", "3.13"]
MACHINES = [("linux", "x86_64"), ("darwin", "arm64"), ("win32", "AMD64")]
# Written in pieces, so that this file does not hold what it looks for.
CONDA_NAMES = {"matplotlib-base": "matplotlib"}


def requirements_of(*extras):
    """The requirements that pyproject.toml declares: the core ones and those of the extras."""
    groups = [
        PROJECT["dependencies"],
        *(PROJECT["optional-dependencies"][extra] for extra in extras),
    ]
    return [Requirement(line) for group in groups for line in group]


LEARNERS, MAKERS = "requirements.txt", "requirements-dev.txt"


def lock_lines(file=LEARNERS):
    """A lock as (requirement, hashes), one pair for each locked package."""
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [
        line for line in text.splitlines() if line.strip() and not line.startswith("#")
    ]
    return [
        (Requirement(line.split(" --hash")[0]), re.findall(r"--hash=(\S+)", line))
        for line in lines
    ]


def marker_environment(python, system, machine):
    return {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": system,
        "platform_machine": machine,
        "os_name": "nt" if system == "win32" else "posix",
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[
            system
        ],
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }


def applies(requirement, environment):
    return requirement.marker is None or requirement.marker.evaluate(environment)


def locked_versions(python, system, machine, file=LEARNERS):
    """The locked packages of one machine: canonical name to the list of versions whose markers hold there."""
    environment = marker_environment(python, system, machine)
    versions = {}
    for requirement, _ in lock_lines(file):
        if applies(requirement, environment):
            (pin,) = requirement.specifier
            versions.setdefault(canonicalize_name(requirement.name), []).append(
                Version(pin.version)
            )
    return versions


def conda_file(name):
    """A conda environment file as (conda requirements, pip lines)."""
    entries = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["dependencies"]
    conda_lines = [entry for entry in entries if isinstance(entry, str)]
    conda = [
        Requirement(re.sub(r"^([\w.-]+)=([\d.]+)$", r"\1==\2.*", line))
        for line in conda_lines
    ]
    for requirement in conda:
        requirement.name = CONDA_NAMES.get(requirement.name, requirement.name)
    return conda, [
        line for entry in entries if isinstance(entry, dict) for line in entry["pip"]
    ]


# --- pyproject.toml ---


@pytest.fixture(scope="module")
def wheel():
    """What a wheel of the course would hold, as paths inside it."""
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    return {
        Path(file.distribution_path).as_posix()
        for file in builder.recurse_included_files()
    }


def test_a_wheel_holds_the_bundled_data_inside_the_package(wheel):
    """Colab has nothing else."""
    names = {path.parent.name for path in (ROOT / "data").glob("*/CARD.md")}
    files = {f"{name}/{file}" for name in names for file in read_card(name).files}
    files |= {f"{name}/CARD.md" for name in names} | {"results.json"}
    needed = {f"tlcourse/data/{file}" for file in files}
    assert names and needed | {"tlcourse/model_card_template.md"} <= wheel


SWITCH = "etc/jupyter/jupyter_server_config.d/tlcourse.json"


def test_every_way_to_install_switches_the_extension_of_jupyters_server_on(
    tmp_path, monkeypatch
):
    """`make` and Binder install the checkout as editable; a wheel shares what that does."""
    backend = pytest.importorskip("hatchling.build")
    monkeypatch.chdir(ROOT)
    name = backend.build_editable(str(tmp_path))
    with zipfile.ZipFile(tmp_path / name) as installed:
        (found,) = (path for path in installed.namelist() if path.endswith(SWITCH))
        switched = json.loads(installed.read(found))["ServerApp"]["jpserver_extensions"]
    assert found.split("/")[:2] == [f"tlcourse-{PROJECT['version']}.data", "data"]
    assert switched == {"tlcourse.server": True}


# --- requirements.txt ---


@pytest.mark.parametrize("file", [LEARNERS, MAKERS, "requirements-site.txt"])
def test_every_locked_package_has_an_exact_version_and_a_sha256(file):
    careless = [
        str(requirement)
        for requirement, hashes in lock_lines(file)
        if [s.operator for s in requirement.specifier] != ["=="]
        or not hashes
        or any(not re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes)
    ]
    assert careless == []


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("system", "machine"), MACHINES)
@pytest.mark.parametrize(
    ("files", "extras"),
    [
        ([LEARNERS], ["cpu", "learn", "distributed", "build"]),
        ([LEARNERS, MAKERS], ["cpu", "learn", "distributed", "build", "dev"]),
    ],
)
def test_the_locks_satisfy_every_declared_dependency(
    python, system, machine, files, extras
):
    locked = {}
    for file in files:
        for name, versions in locked_versions(python, system, machine, file).items():
            locked.setdefault(name, []).extend(versions)
    assert [name for name, versions in locked.items() if len(set(versions)) > 1] == []
    environment = marker_environment(python, system, machine)
    unmet = [
        str(requirement)
        for requirement in requirements_of(*extras)
        if applies(requirement, environment)
        and not any(
            v in requirement.specifier
            for v in locked.get(canonicalize_name(requirement.name), [])
        )
    ]
    assert unmet == []


def test_a_learner_installs_nothing_that_only_tests_and_builds_need():
    learners = {canonicalize_name(locked.name) for locked, _ in lock_lines()}
    makers = {canonicalize_name(locked.name) for locked, _ in lock_lines(MAKERS)}
    tools = {"pytest", "pytest-cov", "nbval", "ruff", "mypy", "hypothesis", "jupytext"}
    assert tools <= makers and not makers & learners


# --- environment.yml and binder/ ---


def test_environment_yml_repeats_pyproject_word_for_word():
    declared = {
        canonicalize_name(r.name): r.specifier
        for r in requirements_of("cpu", "learn", "distributed")
    }
    conda, _ = conda_file("environment.yml")
    different = [
        str(requirement)
        for requirement in conda
        if requirement.name not in {"python", "pip", "make"}
        and declared.get(canonicalize_name(requirement.name)) != requirement.specifier
    ]
    assert different == []


def test_binder_has_the_locked_version_of_every_declared_package():
    _, lines = conda_file("binder/environment.yml")
    binder = {
        canonicalize_name(requirement.name): requirement.specifier
        for requirement in map(Requirement, lines)
    }
    locked = locked_versions("3.12", "linux", "x86_64")
    expected = {name: f"=={version}" for name, (version,) in locked.items()}
    assert {name: str(pin) for name, pin in binder.items()} == {
        name: expected[name] for name in binder
    }
    from_conda = {"jupyterlab", "ipywidgets", "ipykernel"}
    environment = marker_environment("3.12", "linux", "x86_64")
    declared = {
        canonicalize_name(requirement.name)
        for requirement in requirements_of("cpu", "learn", "distributed")
        if applies(requirement, environment)
    }
    assert declared - from_conda <= set(binder)
