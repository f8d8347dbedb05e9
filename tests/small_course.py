"""A small course with a lock of four packages and a folder that stands for a package index: what kits are tried on."""

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


def write_wheel(
    folder, name, version="1.0", tag="py3-none-any", requires=(), ballast=0
):
    """A wheel with one module in it, and so many bytes besides; returns its SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    path, info = folder / f"{name}-{version}-{tag}.whl", f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    files = {
        f"{name}.py": f"version = '{version}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    if ballast:
        files[f"{name}_ballast.txt"] = "x" * ballast
    record = "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(file, (2020, 1, 1, 0, 0, 0)), text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_source(folder, name, version="1.0"):
    """A source archive that setuptools builds, with no wheel beside it; returns its SHA-256."""
    project = folder / f"{name}-{version}"
    project.mkdir()
    (project / f"{name}.py").write_text("")
    (project / "setup.py").write_text(
        f"from setuptools import setup\nsetup(name='{name}', version='{version}', py_modules=['{name}'])\n"
    )
    with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
        archive.add(project, project.name)
    shutil.rmtree(project)
    return hashlib.sha256(
        (folder / f"{name}-{version}.tar.gz").read_bytes()
    ).hexdigest()


def write_course(folder, ballast=0):
    """The checkout; `ballast` bytes in one of its packages."""
    index = folder / "index"
    pure = write_wheel(index, "pure", requires=["native>=1"], ballast=ballast)
    native = [
        write_wheel(index, "native", tag=f"cp{TAG}-cp{TAG}-{tag}")
        for tag in NATIVE.values()
    ]
    aside = write_wheel(index, "aside", requires=["not-here"])
    old = write_source(index, "old")
    (folder / "requirements.txt").write_text(
        f"# a comment\npure==1.0 \\\n    --hash=sha256:{pure}\nnative==1.0 ; python_version >= '3.10' \\\n"
        + " \\\n".join(f"    --hash=sha256:{digest}" for digest in native)
        + f"\nold==1.0 ; sys_platform != 'win32' \\\n    --hash=sha256:{old}\n"
    )
    (folder / "requirements-minilm.txt").write_text(
        f"aside==1.0 \\\n    --hash=sha256:{aside}\n"
    )
    (folder / "tlcourse.py").write_text(
        "import pure, native\n\n\ndef main():\n    print('the doctor says ok')\n"
    )
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "tlcourse"\nversion = "0.1.0"\nrequires-python = ">=3.10"\ndependencies = ["pure"]\n'
        '[project.optional-dependencies]\ncpu = []\nlearn = ["native"]\n[project.scripts]\ntlcourse = "tlcourse:main"\n'
        '[tool.hatch.build.targets.wheel]\nonly-include = ["tlcourse.py"]\n'
    )
    return folder


def small_handouts(folder):
    (folder / "learners" / "checkpoints").mkdir(parents=True)
    (folder / "learners" / "00_start_here.ipynb").write_text("{}")
    (folder / "learners" / "checkpoints" / "00_01.py").write_text("import tlcourse\n")


def offline(patch, course):
    """pip takes packages out of a folder; packs and lessons are small."""
    from tlcourse.kits import contents

    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv(
        "PIP_FIND_LINKS", (course / "index").as_uri()
    )  # pip takes a space for the end of a path
    patch.setenv("PIP_CONFIG_FILE", os.devnull)
    patch.setattr(contents, "make_handouts", small_handouts)
    patch.setattr(contents, "_add_dogs", lambda folder: [])
