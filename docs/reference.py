"""The page of the public names: an index made of `tlcourse.__all__`, then each name's own docstring."""

import inspect
from typing import get_args, get_type_hints

import tlcourse

ROOMS = [name for name in tlcourse.__all__ if inspect.ismodule(getattr(tlcourse, name))]
NAMES = [name for name in tlcourse.__all__ if name not in ROOMS]


def page() -> str:
    """Markdown: a table of all names, each with its first sentence, and Sphinx's directives for the rest."""
    lines = ["| Name | What it is for |", "|---|---|", *map(row, [*NAMES, *ROOMS])]
    for name in NAMES:
        lines += ["", f"## `tl.{name}`", "", directive(name, getattr(tlcourse, name))]
    for room in ROOMS:
        module = getattr(tlcourse, room)
        lines += [
            "",
            f"## `tl.{room}`",
            "",
            inspect.getdoc(module),
            "",
            sphinx(f".. py:module:: tlcourse.{room}"),
        ]
        for name in public(module):
            lines += [
                "",
                f"### `tl.{room}.{name}`",
                "",
                directive(f"{room}.{name}", getattr(module, name)),
            ]
    lines += [
        "",
        "## What calls return",
        "",
        "Nobody makes these by hand: they come out of the calls above.",
    ]
    for kind in returned():
        lines += [
            "",
            f"### `{kind.__qualname__}`",
            "",
            directive(
                f"{kind.__module__.removeprefix('tlcourse.')}.{kind.__qualname__}", kind
            ),
        ]
    return "\n".join(lines)


def row(name: str) -> str:
    """A line of the index: the name as a link, and the first sentence of its docstring."""
    value = getattr(tlcourse, name)
    paragraph = " ".join(inspect.getdoc(value).split("\n\n")[0].split())
    sentence = paragraph.split(". ")[0].rstrip(".:") + "."
    role = "mod" if name in ROOMS else "obj"
    return f"| {{py:{role}}}`tl.{name} <tlcourse.{name}>` | {sentence.replace('|', chr(92) + '|')} |"


def public(module) -> list[str]:
    """What a room offers: what it lists itself, or the functions and classes that are written in it."""
    return getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__.startswith(module.__name__)
    ]


def directive(name: str, value) -> str:
    """Sphinx's directive for a function or a class; a ready-made object, as `tl.check`, is described by its class."""
    if inspect.isfunction(value):
        return sphinx(f".. autofunction:: tlcourse.{name}")
    if inspect.isclass(value):
        if issubclass(value, tuple):  # its fields are described in its docstring
            return sphinx(f".. autoclass:: tlcourse.{name}")
        foreign = ", ".join(
            one.__name__
            for one in value.__mro__
            if not one.__module__.startswith("tlcourse")
        )
        return sphinx(
            f".. autoclass:: tlcourse.{name}",
            "   :members:",
            f"   :inherited-members: {foreign}",
        )
    kind = f"{type(value).__module__}.{type(value).__name__}"
    members = ("   :members:", "   :special-members: __call__")
    return sphinx(
        f".. py:data:: tlcourse.{name}", "", f".. autoclass:: {kind}", *members
    )


def sphinx(*lines: str) -> str:
    return "\n".join(["```{eval-rst}", *lines, "```"])


def returned() -> list[type]:
    """The package's classes that annotations of what is public name, and that are not public names themselves."""
    walked = [getattr(tlcourse, name) for name in NAMES]
    walked += [
        getattr(getattr(tlcourse, room), name)
        for room in ROOMS
        for name in public(getattr(tlcourse, room))
    ]
    known = len(walked)
    for value in walked:  # grows on the way
        walked += [
            kind for kind in dict.fromkeys(annotated(value)) if kind not in walked
        ]
    return sorted(walked[known:], key=lambda kind: kind.__name__)


def annotated(value) -> list[type]:
    """The package's own classes in the annotations of a function, or of a class's fields, methods and properties."""
    kind = value if inspect.isclass(value) or inspect.isfunction(value) else type(value)
    members = [kind]
    if inspect.isclass(kind):
        parts = (
            part
            for one in kind.__mro__
            for name, part in vars(one).items()
            if name[0] != "_" or name == "__call__"
        )
        members += [
            getattr(part, "fget", getattr(part, "__func__", part)) for part in parts
        ]
    found = []
    for member in members:
        try:
            hints = get_type_hints(member)
        except (TypeError, NameError):
            continue
        found += [one for hint in hints.values() for one in classes_in(hint)]
    return [
        one
        for one in found
        if one.__module__.startswith("tlcourse.") and one.__name__[0] != "_"
    ]


def classes_in(hint) -> list[type]:
    """`dict[str, list[Point]]` → dict … Point: the classes that an annotation is made of."""
    inner = [kind for part in get_args(hint) for kind in classes_in(part)]
    return inner or ([hint] if inspect.isclass(hint) else [])
