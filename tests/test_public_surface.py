"""What `import tlcourse` offers and costs, the three calls of the README, and what may import what inside."""

import ast
import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tlcourse as tl

PACKAGE = Path(tl.__file__).parent

# From the top of the house down: a module imports only from rooms that stand further down.
ROOMS = (
    "__main__",
    "cli",
    "demo",
    "doctor",
    "doctor.data",
    "doctor.downloads",
    "doctor.installation",
    "doctor.kept",
    "doctor.kernels",
    "doctor.variables",
    "doctor.machine",
    "doctor.finding",
    "train_folder",
    "kits",
    "kits.contents",
    "kits.wheels",
    "kits.targets",
    "kits.installer",
    "handouts",
    "handouts.slides",
    "handouts.cards",
    "handouts.instructors",
    "handouts.learners",
    "handouts.teaching",
    "handouts.lessons",
    "handouts.checkpoints",
    "predicting",
    "fetching",
    "widgets",
    "widgets.uploads",
    "widgets.drawing",
    "widgets.mistakes",
    "widgets.labels",
    "widgets.cuts",
    "widgets.cut_chart",
    "widgets.near",
    "widgets.strokes",
    "widgets.moving",
    "widgets.live",
    "widgets.answer",
    "widgets.files",
    "exercises",
    "exercises.checking",
    "exercises.lesson_00",
    "exercises.lesson_02",
    "exercises.lesson_03",
    "exercises.lesson_04",
    "exercises.lesson_01",
    "exercises.lesson_05",
    "exercises.lesson_07",
    "exercises.lesson_09",
    "exercises.lesson_10",
    "exercises.lesson_11",
    "exercises.lesson_06",
    "exercises.lesson_08",
    "exercises.progress",
    "exercises.reading",
    "exercises.core",
    "training.learning_curves",
    "exporting",
    "export_record",
    "model_card",
    "exported",
    "training.grad_cam",
    "training.fine_tune",
    "training.fitting",
    "training.callbacks",
    "guards",
    "guards.frozen",
    "guards.losses",
    "guards.heads",
    "guards.preprocessing",
    "guards.sealing",
    "guards.pretrained",
    "guards.changes",
    "guards.snapshots",
    "guards.fresh",
    "guards.stale",
    "guards.names",
    "guards.duplicates",
    "plots",
    "plots.charts",
    "plots.grids",
    "plots.searches",
    "plots.figure",
    "training.batches",
    "training.new_head",
    "training.probe",
    "training.classifiers",
    "training.evaluation",
    "models.block_counts",
    "training.freezing",
    "models.load",
    "models.vision",
    "models.backbone",
    "models.calibration",
    "scale",
    "scale.training",
    "scale.rank",
    "scale.job",
    "scale.dispatch",
    "scale.workers",
    "scale.shards",
    "scale.batches",
    "scale.cluster",
    "models.text",
    "models.bert_weights",
    "models.weights",
    "models.blocks",
    "models.bert_onnx",
    "models.bert_folder",
    "models.wordpiece",
    "models.bert",
    "models.efficientnet_lite",
    "models.recipes",
    "features.text",
    "features.compute",
    "features.engine",
    "models.conversion",
    "models.lite_onnx",
    "models.bundled",
    "models.onnx_file",
    "keras_archive",
    "tensorflow_start",
    "features.cache",
    "features.cache_files",
    "features.augment",
    "datasets",
    "datasets.archive",
    "datasets.dogs",
    "datasets.pack",
    "datasets.folder",
    "datasets.examination",
    "datasets.dividing",
    "datasets.cleaning",
    "datasets.bundled",
    "datasets.tfds",
    "datasets.fitting",
    "datasets.core",
    "datasets.same_pictures",
    "downloading",
    "features.inputs",
    "tables",
    "measure",
    "progress",
    "evidence",
    "features.pictures",
    "features.bit_depth",
    "features.decoding",
    "output_folder",
    "files",
    "foreign_text",
    "freed_memory",
    "silence",
    "interrupts",
    "validation",
    "errors",
    "models",
    "features",
    "training",
)


def run_python(program):
    paths = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


# Names


@pytest.mark.parametrize("name", tl.__all__)
def test_each_public_name_can_be_had(name):
    assert getattr(tl, name) is not None


def test_no_public_name_is_also_a_rooms():
    """Importing the room would put it in the place of the name: tl.name would be a module."""
    assert [
        name
        for name, room in tl._PLACES.items()
        if (PACKAGE / f"{name}.py").exists() or name == room
    ] == []


def test_the_public_names_are_those_that_the_course_uses():
    assert set(tl.__all__) == {
        "load_pretrained_model",
        "list_pretrained_models",
        "PretrainedModel",
        "PretrainedTextModel",
        "load_dataset",
        "list_datasets",
        "train_classifier",
        "LinearProbe",
        "fine_tune",
        "FineTuned",
        "prepare_fine_tuning",
        "Preparation",
        "freeze",
        "unfreeze",
        "add_head",
        "export",
        "load_exported",
        "ExportedModel",
        "results",
        "learning_curve",
        "LearningCurve",
        "grad_cam",
        "augment",
        "guards",
        "scale",
        "ConfusionMatrix",
        "check",
        "datasets",
        "pictures",
        "errors",
        "show",
        "widgets",
    }


def test_a_star_import_brings_each_public_name():
    names = {}
    exec("from tlcourse import *", names)
    assert set(tl.__all__) <= set(names)


def test_type_checkers_are_told_of_each_public_name():
    """Editors and mypy cannot see through `__getattr__`: for them the names are imported once more."""
    (block,) = _for_type_checkers(
        ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    )
    names = {
        alias.asname
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    shown = {
        ast.unparse(target)
        for node in block.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }
    assert (names | shown) - {None} == set(tl.__all__)


def test_dir_shows_each_public_name_before_it_is_used():
    shown = run_python("import tlcourse; print(*dir(tlcourse))").split()
    assert set(tl.__all__) <= set(shown)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(AttributeError) as caught:
        tl.train_clasifier  # noqa: B018
    assert (
        str(caught.value)
        == f"tlcourse has no 'train_clasifier'. It has: {', '.join(tl.__all__)}."
    )


def test_show_is_the_room_of_plots():
    from tlcourse import plots

    assert tl.show is plots


# What it costs


def test_importing_the_package_imports_nothing_large():
    large = {
        "ipywidgets",
        "IPython",
        "tensorflow",
        "keras",
        "tensorflow_datasets",
        "sklearn",
        "matplotlib",
        "scipy",
        "PIL",
        "numpy",
        "typer",
        "dask",
        "distributed",
        "pyarrow",
    }
    assert (
        run_python(f"import sys, tlcourse; print(sorted({large} & set(sys.modules)))")
        == "[]"
    )


def test_importing_the_package_imports_none_of_its_rooms():
    program = "import sys, tlcourse; print([name for name in sys.modules if name.startswith('tlcourse.')])"
    assert run_python(program) == "[]"


# The three calls

THREE_CALLS = """\
import tlcourse as tl

model = tl.load_pretrained_model()
features = model.extract_features(new_images)
new_classifier = tl.train_classifier(features, new_labels)
"""
LABELS = ["a person or a beast", "a thing", "a person or a beast", "a thing"]


@pytest.fixture(scope="module")
def holders(photographs, tmp_path_factory):
    """The same four photographs, as a learner may have them: kind of holder → what the calls are given."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("photographs")
    paths = [folder / f"{number}.png" for number in range(len(photographs))]
    for path, photograph in zip(paths, photographs, strict=True):
        Image.fromarray(photograph).save(path)
    return {
        "an array": photographs,
        "a list of arrays": list(photographs),
        "a list of paths": [str(path) for path in paths],
        "a folder": folder,
        "a tf.data.Dataset": tf.data.Dataset.from_tensor_slices(photographs).batch(3),
    }


KINDS = [
    "an array",
    "a list of arrays",
    "a list of paths",
    "a folder",
    "a tf.data.Dataset",
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_three_calls_learn_the_labels_of_pictures_in(holders, kind):
    names = {"new_images": holders[kind], "new_labels": LABELS}
    exec(THREE_CALLS, names)
    assert names["new_classifier"].predict(names["features"]).tolist() == LABELS


@pytest.mark.parametrize("kind", KINDS[1:])
def test_the_three_calls_give_the_same_features_for_pictures_in(
    bundled_model, holders, kind
):
    found, expected = (
        bundled_model.extract_features(holders[holder]) for holder in (kind, "an array")
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_readme_shows_the_three_calls():
    assert f"```python\n{THREE_CALLS}```\n" in (PACKAGE.parent / "README.md").read_text(
        encoding="utf-8"
    )


def test_the_packages_own_help_shows_the_three_calls():
    assert textwrap.indent(THREE_CALLS, "    ") in tl.__doc__


# What imports what


def modules():
    """Every module of the package: "datasets.core" → its file. The package itself is ""."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


MODULES = modules()


def imports(module):
    """All that a module imports anywhere, by full names: "numpy", "tlcourse.errors", "tlcourse.__version__", …"""
    path = MODULES[module]
    here = ["tlcourse", *module.split(".")] if module else ["tlcourse"]
    package = here if path.name == "__init__.py" else here[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not module:  # what it names for type checkers alone is not imported
        tree.body = [node for node in tree.body if node not in _for_type_checkers(tree)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _for_type_checkers(tree):
    """The statements `if TYPE_CHECKING`, in either way of writing."""
    names = {"TYPE_CHECKING", "_typing.TYPE_CHECKING"}
    return [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) in names
    ]


def room_of(imported):
    """ "tlcourse.errors.UserInputError" → "errors"; the package itself is ""."""
    inside = imported.split(".")[1:]
    while inside and ".".join(inside) not in MODULES:
        inside.pop()
    return ".".join(inside)


def test_every_module_has_its_place_in_the_house():
    assert set(ROOMS) == set(MODULES) - {""}


@pytest.mark.parametrize("module", ROOMS)
def test_imports_point_downwards_from(module):
    inside = [
        name
        for name in imports(module)
        if name.split(".")[0] == "tlcourse" and name != "tlcourse.__version__"
    ]
    below = ROOMS[ROOMS.index(module) + 1 :]
    assert [name for name in inside if room_of(name) not in below] == []


def test_the_package_itself_imports_none_of_its_rooms():
    assert [name for name in imports("") if name.startswith("tlcourse")] == []


@pytest.mark.parametrize("module", MODULES)
def test_only_the_package_itself_imports_by_computed_names(module):
    names = {name.split(".")[-1] for name in imports(module)}
    assert "import_module" not in names or module == ""


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_imported_from_outside_the_package(module):
    outside = {"notebooks", "tests", "benchmarks", "data", "conftest"}
    assert {name.split(".")[0] for name in imports(module)} & outside == set()


# Docstrings


def documented():
    """What a learner may call or look into: name as written in a lesson → the object."""
    found = {f"tl.{name}": getattr(tl, name) for name in tl.__all__}
    members = [(name, value) for name, value in found.items() if inspect.isclass(value)]
    rooms = [
        (f"tl.{room}", getattr(tl, room))
        for room in (
            "datasets",
            "pictures",
            "errors",
            "show",
            "guards",
            "scale",
            "widgets",
        )
    ]
    for name, owner in members + rooms:
        for part in (
            reversed(inspect.getmro(owner)) if inspect.isclass(owner) else [owner]
        ):
            found |= {
                f"{name}.{key}": value
                for key, value in vars(part).items()
                if is_ours_and_public(key, value)
            }
    return found


def is_ours_and_public(name, value):
    kind = (
        isinstance(value, property | classmethod | staticmethod)
        or inspect.isfunction(value)
        or inspect.isclass(value)
    )
    return (
        kind
        and not name.startswith("_")
        and getattr(value, "__module__", "tlcourse").startswith("tlcourse")
    )


DOCUMENTED = documented()


def test_the_drawings_of_show_are_among_what_is_documented():
    assert {"tl.show.pictures", "tl.show.feature_map", "tl.LinearProbe.predict"} <= set(
        DOCUMENTED
    )


@pytest.mark.parametrize("name", DOCUMENTED)
def test_there_is_help_for(name):
    assert (inspect.getdoc(DOCUMENTED[name]) or "").strip()
