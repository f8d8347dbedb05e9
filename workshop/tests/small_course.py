"""A small course with a lock of four packages, and a folder as its package index."""

import hashlib
import os
import shutil
import sys
import tarfile
import zipfile

HERE = "{}.{}".format(*sys.version_info)
TAG = HERE.replace(".", "")
NATIVE = {
    "linux": "manylinux_2_17_x86_64",
    "macos": "macosx_11_0_arm64",
    "windows": "win_amd64",
}
PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "tlcourse"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["pure"]
[project.optional-dependencies]
cpu = []
learn = ["native"]
[project.scripts]
tlcourse = "tlcourse:main"
[tool.hatch.build.targets.wheel]
only-include = ["tlcourse.py"]
"""
SETUP = "from setuptools import setup\nsetup(name='old', version='1.0')\n"
MODULE = "import pure, native\n\ndef main():\n    print('the doctor says ok')\n"


def write_wheel(folder, name, version="1.0", tag="py3-none-any", ballast=0):
    """A wheel with one module and so many bytes besides; returns its SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = '{version}'\n",
        f"{name}_ballast.txt": "x" * ballast,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in files)
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(zipfile.ZipInfo(file, (2020, 1, 1, 0, 0, 0)), text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_source(folder):
    """A source archive of `old` without a wheel; returns its SHA-256."""
    project, archive = folder / "old-1.0", folder / "old-1.0.tar.gz"
    project.mkdir()
    (project / "old.py").write_text("")
    (project / "setup.py").write_text(SETUP.replace(")", ", py_modules=['old'])"))
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(project, project.name)
    shutil.rmtree(project)
    return hashlib.sha256(archive.read_bytes()).hexdigest()


def write_course(folder, ballast=0):
    """The checkout; `ballast` bytes in one of its packages."""
    index = folder / "index"
    pure = write_wheel(index, "pure", ballast=ballast)
    tags = [f"cp{TAG}-cp{TAG}-{platform}" for platform in NATIVE.values()]
    native = [write_wheel(index, "native", tag=tag) for tag in tags]
    aside, old = write_wheel(index, "aside"), write_source(index)
    lines = {
        "pure==1.0": [pure],
        "native==1.0 ; python_version >= '3.10'": native,
        "old==1.0 ; sys_platform != 'win32'": [old],
    }
    (folder / "requirements.txt").write_text("# a comment\n" + _lock(lines))
    (folder / "requirements-minilm.txt").write_text(_lock({"aside==1.0": [aside]}))
    (folder / "tlcourse.py").write_text(MODULE)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    return folder


def _lock(lines):
    return "".join(
        " \\\n    ".join([line, *(f"--hash=sha256:{digest}" for digest in digests)])
        + "\n"
        for line, digests in lines.items()
    )


def small_handouts(folder):
    (folder / "learners" / "cards").mkdir(parents=True)
    (folder / "learners" / "00_start.ipynb").write_text("{}")
    (folder / "learners" / "cards" / "00_start.html").write_text("<p>")


def offline(patch, course):
    """pip takes packages out of a folder; packs and lessons are small."""
    from workshop import kits

    patch.setenv("PIP_NO_INDEX", "1")
    # As an address: pip takes a space for the end of a path.
    patch.setenv("PIP_FIND_LINKS", (course / "index").as_uri())
    patch.setenv("PIP_CONFIG_FILE", os.devnull)
    patch.setattr(kits, "make_handouts", small_handouts)
    patch.setattr(kits, "_add_dogs", lambda folder: [])
