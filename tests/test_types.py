"""What mypy knows of the package in a program of somebody else's. The package itself is checked by `make test`."""

import subprocess
import sys

import pytest

import tlcourse

pytestmark = pytest.mark.slow
pytest.importorskip("mypy")

PROGRAM = """\
import tlcourse as tl

reveal_type(tl.load_pretrained_model())
reveal_type(tl.load_pretrained_model("minilm"))
reveal_type(tl.load_dataset("digits").train.labels)
reveal_type(tl.train_classifier([[0.0], [1.0]], [0, 1]))
reveal_type(tl.show.pictures([]))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What mypy says of the program, line by line."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    (folder / "mypy.ini").write_text(
        f"[mypy]\nmypy_path = {folder}\nfollow_untyped_imports = False\nignore_missing_imports = True\n",
        "utf-8",
    )
    (folder / "tlcourse").symlink_to(tlcourse.__path__[0], target_is_directory=True)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "program.py"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return run.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (3, "tlcourse.models.vision.PretrainedModel"),
        (4, "tlcourse.models.text.PretrainedTextModel"),
        (5, "ndarray"),
        (6, "tlcourse.training.probe.LinearProbe"),
        (7, "tlcourse.plots.figure.Figure"),
    ],
)
def test_the_kind_of_what_a_call_gives_is_known(said, line, kind):
    (sentence,) = [text for text in said if text.startswith(f"program.py:{line}:")]
    assert "Revealed type is" in sentence and kind in sentence
