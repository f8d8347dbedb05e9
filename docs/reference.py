"""The pages of the public names, by topic: an index made of `tlcourse.__all__`, then each name's own docstring."""

import inspect
from pathlib import Path
from typing import get_args, get_type_hints

import tlcourse

HERE = Path(__file__).resolve().parent

MODULES = [
    name for name in tlcourse.__all__ if inspect.ismodule(getattr(tlcourse, name))
]
NAMES = [name for name in tlcourse.__all__ if name not in MODULES]
TOPICS = {  # page in docs/api/ → its names; each public name is on one page
    "networks": """load_pretrained_model list_pretrained_models PretrainedModel PretrainedTextModel
        PretrainedQuestionAnswering PretrainedSpeechModel""",
    "data": "load_dataset list_datasets augment datasets pictures audio",
    "training": """train_classifier LinearProbe fine_tune FineTuned prepare_fine_tuning Preparation freeze
        unfreeze fit_bar""",
    "evaluation": "learning_curve LearningCurve ConfusionMatrix grad_cam results show widgets",
    "checks": "check checks errors",
    "files": "export load_exported ExportedModel distributed",
}


def index() -> str:
    """Markdown: for each topic a table of its names, each with its first sentence."""
    lines = []
    for topic in TOPICS:
        lines += ["", f"## [{title(topic)}](api/{topic}.md)", "", *table(topic)]
    return "\n".join(lines)


def title(topic: str) -> str:
    """The heading of a topic's page."""
    text = (HERE / "api" / f"{topic}.md").read_text(encoding="utf-8")
    return text.partition("\n")[0].removeprefix("# ")


def table(topic: str) -> list[str]:
    rows = [row(name) for name in TOPICS[topic].split()]
    return ["| Name | What it is for |", "|---|---|", *rows]


def page(topic: str) -> str:
    """Markdown: a table of a topic's names, and Sphinx's directives for the rest."""
    names = TOPICS[topic].split()
    lines = table(topic)
    for name in (name for name in names if name in NAMES):
        lines += ["", f"## `tl.{name}`", "", directive(name, getattr(tlcourse, name))]
    for module_name in (name for name in names if name in MODULES):
        module = getattr(tlcourse, module_name)
        lines += [
            "",
            f"## `tl.{module_name}`",
            "",
            inspect.getdoc(module),
            "",
            sphinx(f".. py:module:: tlcourse.{module_name}"),
        ]
        for name in public(module):
            lines += [
                "",
                f"### `tl.{module_name}.{name}`",
                "",
                directive(f"{module_name}.{name}", getattr(module, name)),
            ]
    if kinds := [kind for kind in returned() if topic_of(kind) == topic]:
        lines += [
            "",
            "## What calls return",
            "",
            "Nobody makes these by hand: they come out of the calls above.",
        ]
    for kind in kinds:
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
    role = "mod" if name in MODULES else "obj"
    return f"| {{py:{role}}}`tl.{name} <tlcourse.{name}>` | {sentence.replace('|', chr(92) + '|')} |"


def public(module) -> list[str]:
    """What a module offers: what it lists itself, or the functions and classes that are written in it."""
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
    public_names = [value for topic in TOPICS for value in values(topic)]
    classes = reached(public_names)[len(public_names) :]
    return sorted(classes, key=lambda kind: kind.__name__)


def topic_of(kind: type) -> str:
    """The first topic whose calls return a class."""
    return next(topic for topic in TOPICS if kind in reached(values(topic)))


def values(topic: str) -> list:
    """A topic's functions, classes and objects, those of its modules among them."""
    members = []
    for name in TOPICS[topic].split():
        value = getattr(tlcourse, name)
        is_module = name in MODULES
        members += (
            [getattr(value, one) for one in public(value)] if is_module else [value]
        )
    return members


def reached(start: list) -> list:
    """What annotations lead to, beginning with `start` itself."""
    walked = list(start)
    for value in walked:  # grows on the way
        walked += [
            kind for kind in dict.fromkeys(annotated(value)) if kind not in walked
        ]
    return walked


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
    classes = []
    for member in members:
        try:
            hints = get_type_hints(member)
        except (TypeError, NameError):
            continue
        classes += [one for hint in hints.values() for one in classes_in(hint)]
    return [
        one
        for one in classes
        if one.__module__.startswith("tlcourse.") and one.__name__[0] != "_"
    ]


def classes_in(hint) -> list[type]:
    """`dict[str, list[Point]]` → dict … Point: the classes that an annotation is made of."""
    inner = [kind for part in get_args(hint) for kind in classes_in(part)]
    return inner or ([hint] if inspect.isclass(hint) else [])
