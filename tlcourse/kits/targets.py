"""The machines that a kit is for: a system and a Python version, and which wheels fit there."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging import tags
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from ..errors import UserInputError

SYSTEMS = ("linux", "macos", "windows")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")  # those that requirements.txt is made for
MARKERS = {  # what the systems answer to the questions in requirements' conditions
    "linux": {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    },
    "macos": {
        "sys_platform": "darwin",
        "platform_system": "Darwin",
        "platform_machine": "arm64",
        "os_name": "posix",
    },
    "windows": {
        "sys_platform": "win32",
        "platform_system": "Windows",
        "platform_machine": "AMD64",
        "os_name": "nt",
    },
}
PLATFORMS = {  # the oldest system that all locked packages have wheels for, and what fits there as well
    "linux": [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)]
    + [f"manylinux{year}_x86_64" for year in (2014, 2010, 1)],
    "macos": list(tags.mac_platforms((12, 0), "arm64")),
    "windows": ["win_amd64"],
}
UV_PLATFORMS = {
    "linux": "x86_64-manylinux_2_28",
    "macos": "aarch64-apple-darwin",
    "windows": "x86_64-pc-windows-msvc",
}


@dataclass(frozen=True)
class Target:
    """A kind of machine: `system` out of SYSTEMS, `python` such as "3.12"."""

    system: str
    python: str

    def __str__(self) -> str:
        return f"{self.system}, Python {self.python}"

    @property
    def releases(self) -> list[str]:
        """Of its Python, those that there are or may be: 3.12.0, 3.12.1 and so on."""
        return [f"{self.python}.{micro}" for micro in range(25)]

    def needs(self, requirement: Requirement) -> bool:
        """Whether a line of the lock counts on such a machine, whichever release of its Python it has."""
        if requirement.marker is None:
            return True
        interpreter = {
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "extra": "",
        }
        answers = {**MARKERS[self.system], **interpreter, "python_version": self.python}
        return any(
            requirement.marker.evaluate({**answers, "python_full_version": full})
            for full in self.releases
        )

    def wheel_for(
        self, requirement: Requirement, wheels: Iterable[Path]
    ) -> Path | None:
        """The wheel of a pinned requirement that fits best, or None."""
        (pin,) = requirement.specifier
        fitting = []
        for wheel in wheels:
            name, version, _, its_tags = parse_wheel_filename(wheel.name)
            if (
                name == canonicalize_name(requirement.name)
                and str(version) == pin.version
            ):
                places = [
                    place for place, tag in enumerate(self._tags()) if tag in its_tags
                ]
                fitting += [(places[0], wheel)] if places else []
        return min(fitting)[1] if fitting else None

    def _tags(self) -> list[tags.Tag]:
        version, platforms = (
            tuple(int(part) for part in self.python.split(".")),
            PLATFORMS[self.system],
        )
        interpreter = f"cp{version[0]}{version[1]}"
        return [
            *tags.cpython_tags(version, platforms=platforms),
            *tags.compatible_tags(version, interpreter, platforms),
        ]


def make_targets(systems: Iterable[str], pythons: Iterable[str]) -> list[Target]:
    """Every system with every Python.

    Raises:
        UserInputError: a kit cannot be made for one of them.
    """
    systems, pythons = list(systems), list(pythons)
    for given, known, what in (
        (systems, SYSTEMS, "systems"),
        (pythons, PYTHONS, "Pythons"),
    ):
        unknown = [name for name in given if name not in known]
        if unknown or not given:
            raise UserInputError(
                f"A kit cannot be made for {', '.join(unknown) or 'nothing'}. The {what}: {', '.join(known)}."
            )
    return [Target(system, python) for system in systems for python in pythons]
