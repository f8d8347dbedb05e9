"""What `import tlcourse` offers and costs, its three calls, help, and its floors."""

import ast
import doctest
import importlib
import inspect
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import tlcourse as tl

PACKAGE = Path(tl.__file__).parent


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


def test_type_checkers_are_told_of_each_public_name():
    """Editors and mypy cannot see through `__getattr__`."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    told = {alias.name for node in imports for alias in node.names}
    assert set(tl.__all__) - told == {"show"}  # which is an assignment


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(AttributeError, match="It has: load_pretrained_model, "):
        tl.train_clasifier  # noqa: B018


# What it costs


def test_importing_the_package_imports_nothing_large_and_none_of_its_modules():
    large = "IPython tensorflow keras sklearn matplotlib scipy PIL numpy click dask"
    program = (
        "import sys, tlcourse; print([name for name in sys.modules if "
        f"name.startswith('tlcourse.') or name in {large.split()}])"
    )
    assert run_python(program) == "[]"


def test_reading_cached_features_imports_nothing_that_computes_them(
    tmp_path, monkeypatch
):
    """Of a second call in a new process these imports took 75 % of the time."""
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    program = (
        "import sys, tlcourse as tl\n"
        "images = tl.load_dataset('samples').test.images\n"
        "features = tl.load_pretrained_model().extract_features(images)\n"
        "slow = {'onnx', 'onnxruntime', 'joblib', 'sklearn', 'tensorflow'}\n"
        "print(features.sum(), sorted(slow & set(sys.modules)))"
    )
    first, second = (run_python(program).split(maxsplit=1) for _ in range(2))
    assert first[0] == second[0]
    assert "onnxruntime" in first[1] and second[1] == "[]"


# The three calls

THREE_CALLS = """\
import tlcourse as tl

model = tl.load_pretrained_model()
features = model.extract_features(new_images)
new_classifier = tl.train_classifier(features, new_labels)
"""
LABELS = ["a person or a beast", "a thing", "a person or a beast", "a thing"]


def test_the_three_calls_learn_the_labels_of_pictures(photographs):
    names = {"new_images": photographs, "new_labels": LABELS}
    exec(THREE_CALLS, names)
    assert names["new_classifier"].predict(names["features"]).tolist() == LABELS


def test_the_readme_shows_the_three_calls():
    assert f"```python\n{THREE_CALLS}```\n" in (PACKAGE.parent / "README.md").read_text(
        encoding="utf-8"
    )


# What imports what


def test_imports_point_downwards():
    from importlinter.cli import lint_imports

    config = str(PACKAGE.parent / "pyproject.toml")
    assert lint_imports(config_filename=config, no_cache=True) == 0


# Examples in docstrings


def with_examples():
    """Modules of the package whose docstrings hold examples."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if ">>> " in path.read_text(encoding="utf-8"):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", list(with_examples()))
def test_the_examples_of(name, no_internet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    module = importlib.import_module(name)
    failed, tried = doctest.testmod(module, optionflags=options)
    assert tried and not failed


TOPICS = sorted((PACKAGE.parent / "docs" / "api").glob("*.md"))


@pytest.mark.parametrize("page", TOPICS, ids=lambda page: page.stem)
def test_the_example_at_the_head_of_a_topics_page_runs(
    page, no_internet, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(tmp_path / "progress.json"))
    text = page.read_text(encoding="utf-8")
    (example,) = re.findall(r"(?ms)^```python\n(.+?)^```$", text)
    exec(example, {})


# Docstrings


def documented():
    """What a learner may call: name as written in a lesson → the object."""
    found = {f"tl.{name}": getattr(tl, name) for name in tl.__all__}
    owners = {name: value for name, value in found.items() if inspect.isclass(value)}
    owners |= {f"tl.{name}": getattr(tl, name) for name in tl._MODULES}
    for name, owner in owners.items():
        for part in inspect.getmro(owner)[::-1] if inspect.isclass(owner) else [owner]:
            for key, value in vars(part).items():
                module = getattr(value, "__module__", "tlcourse")
                if key[0] != "_" and isinstance(value, KINDS) and "tlcourse" in module:
                    found[f"{name}.{key}"] = value
    return found


KINDS = property | classmethod | staticmethod | types.FunctionType | type
DOCUMENTED = documented()


@pytest.mark.parametrize("name", DOCUMENTED)
def test_there_is_help_for(name):
    assert (inspect.getdoc(DOCUMENTED[name]) or "").strip()
