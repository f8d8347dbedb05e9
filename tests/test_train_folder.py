"""`tlcourse train`: from a folder to a network; stopped anywhere, it goes on to it."""

import os
import signal
import subprocess
import sys

import dask
import numpy as np
import pytest
from click.testing import CliRunner
from dask_engines import certificate_settings, secure_cluster
from PIL import Image

import tlcourse as tl
from tlcourse import cli
from tlcourse import train_folder as job_module
from tlcourse.errors import UserInputError
from tlcourse.predict import load_exported
from tlcourse.train_folder import train_folder
from tlcourse.training.selection import Selection

pytestmark = pytest.mark.slow

QUICK = {"from_block": "head", "epochs": 1, "licence": "CC0"}


def write_class(folder, count, level, seed):
    """So many pictures of noise around a level of grey."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = np.clip(rng.normal(level, 40, (40, 40, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")


def quietly(*arguments, **options):
    return train_folder(*arguments, **options, say=lambda line: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("pictures") / "my shades"
    write_class(place / "dark", 15, 70, 0)
    write_class(place / "light", 10, 180, 1)
    for number, name in enumerate(("dark", "light") * 2):  # in the wrong folder
        level = 180 if name == "dark" else 70
        write_class(place / name / f"more {number}", 1, level, 10 + number)
    (place / "dark" / "letter.jpg").write_text("Dear Sir or Madam")
    return place


@pytest.fixture(scope="module")
def job(folder, tmp_path_factory):
    """The exported network, and the lines that were said."""
    lines, out = [], tmp_path_factory.mktemp("out") / "made"
    return train_folder(folder, out, **QUICK, say=lines.append), lines


def results(made):
    """What must be the same in each run."""
    digest = made.record["files"]["model.onnx"]["sha256"]
    return digest, *(made.record[name] for name in ("test", "class_names", "data"))


def test_the_choice_and_its_reason_are_said_recorded_and_on_the_card(job):
    made, lines = job
    choice = made.record["job"]["choice"]
    assert made.class_names == ["dark", "light"]
    assert load_exported(made.folder).record == made.record
    assert choice in lines and any("letter.jpg" in line for line in lines)
    assert choice in (made.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    is_tuned = made.record["training"]["method"] == "fine-tuned"
    assert ("fine-tuned one is kept" in choice) == is_tuned
    assert made.record["job"]["fine_tuned"] is not None  # it was tried


def test_what_is_chosen_is_trained_on_training_and_validation_pictures(
    folder, bundled_model, monkeypatch
):
    dataset, groups = job_module._read(folder, lambda line: None)
    pictures, options = dataset.train_and_validation, {"seed": 0, "engine": None}
    for is_tuned, method in ((False, tl.LinearProbe), (True, tl.FineTuned)):
        selection = Selection(is_tuned, "by the test", 3, 0.5, 0.5)
        monkeypatch.setattr(job_module, "select", lambda *_, made=selection: made)
        chosen, why = job_module._select(
            bundled_model, pictures, groups, "head", 1, print, options
        )
        assert why is selection and isinstance(chosen, method)
    assert chosen.record["rows"] == {"training": len(pictures), "validation": 0}
    assert chosen.class_names == dataset.class_names


def test_the_same_job_again_has_nothing_to_do_and_another_overwrites_nothing(
    job, folder, monkeypatch
):
    monkeypatch.setattr(job_module, "_select", lambda *_: pytest.fail("there was work"))
    out, lines = job[0].folder, []
    again = train_folder(folder, out, **QUICK, say=lines.append)
    assert again.record == job[0].record and lines[-1].endswith(
        " already holds this network: nothing to do."
    )
    with pytest.raises(UserInputError, match="nothing was overwritten"):
        quietly(folder, out, **QUICK, seed=1)
    extra = folder / "light" / "more.png"
    Image.new("RGB", (40, 40), (9, 99, 200)).save(extra)
    try:
        with pytest.raises(UserInputError, match="nothing was overwritten"):
            quietly(folder, out, **QUICK)
    finally:
        extra.unlink()
    assert load_exported(out).record == job[0].record


def test_pictures_are_resized_as_asked_for_and_that_is_another_job(
    job, folder, tmp_path
):
    options = {**QUICK, "epochs": 0, "resize": "crop"}
    made = quietly(folder, tmp_path / "made", **options)
    assert made.resize == "crop" and job[0].resize == "squash"
    with pytest.raises(UserInputError, match="nothing was overwritten"):
        quietly(folder, tmp_path / "made", **{**options, "resize": "pad"})
    with pytest.raises(UserInputError, match="squash, crop, pad"):
        quietly(folder, tmp_path / "other", **{**options, "resize": "stretch"})


def test_killed_half_way_the_same_call_comes_to_the_same_network(job, folder, tmp_path):
    program = (
        "import os, signal, sys\n"
        "from tlcourse.train_folder import train_folder\n"
        "def say(line):\n"
        "    if line.startswith('Testing'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        f"train_folder(sys.argv[1], sys.argv[2], **{QUICK}, say=say)"
    )
    cache = {"TLCOURSE_CACHE": str(tmp_path / "cache"), "TQDM_DISABLE": "1"}
    command = [sys.executable, "-c", program, str(folder), str(tmp_path / "made")]
    done = subprocess.run(command, capture_output=True, env=os.environ | cache)
    assert done.returncode == -signal.SIGKILL and not (tmp_path / "made").exists()
    assert results(quietly(folder, tmp_path / "made", **QUICK)) == results(job[0])


def test_the_workers_of_a_scheduler_come_to_the_same_network(
    job, folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tls").mkdir()
    with secure_cluster(2) as cluster:
        with dask.config.set(certificate_settings(cluster, tmp_path / "tls")):
            scheduler = cluster.scheduler_address
            made = quietly(folder, tmp_path / "made", **QUICK, scheduler=scheduler)
    assert results(made) == results(job[0])


def test_too_few_pictures_are_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(job_module, "_select", lambda *_: pytest.fail("there was work"))
    for number, name in enumerate(("cat", "dog")):
        write_class(tmp_path / "few" / name, 1, 100, number)
    with pytest.raises(UserInputError, match="Each class needs three"):
        quietly(tmp_path / "few", tmp_path / "made")


def test_in_a_plain_shell_nothing_is_written_to_stderr(folder, tmp_path):
    """On a processor with AVX-512 VNNI, TensorFlow logs that it uses it."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "TQDM"))}
    plain["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-m", "tlcourse", "train", folder, "--epochs", "0"]
    done = subprocess.run(
        [*command, "--out", tmp_path / "made"], capture_output=True, env=plain
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_class_without_enough_different_pictures_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(job_module, "_select", lambda *_: pytest.fail("there was work"))
    write_class(tmp_path / "pets" / "cat", 10, 100, 0)
    write_class(tmp_path / "pets" / "dog", 1, 100, 1)
    with pytest.raises(UserInputError, match="too few pictures of dog in"):
        quietly(tmp_path / "pets", tmp_path / "made")


def test_no_picture_of_the_test_set_is_trained_on_also_not_resized(tmp_path):
    """The folders are the owner's, and hold each test picture twice: once smaller."""
    for number, name in enumerate(("dark", "light")):
        write_class(tmp_path / "pets" / "test" / name, 5, 80 + 90 * number, number)
        write_class(tmp_path / "pets" / "train" / name, 6, 80 + 90 * number, 9 + number)
        for path in sorted((tmp_path / "pets" / "test" / name).iterdir())[:3]:
            smaller = Image.open(path).resize((36, 36), Image.Resampling.LANCZOS)
            smaller.save(tmp_path / "pets" / "train" / name / f"copy {path.name}")
    lines = []
    dataset, groups = job_module._read(tmp_path / "pets", lines.append)
    assert (len(dataset.train_and_validation), len(dataset.test)) == (12, 10)
    assert len(groups) == len(np.unique(groups)) == 12
    assert [why for _, why in dataset.skipped] == ["a copy of a test picture"] * 6
    assert not any("look" in line for line in lines if "copies" in line)


def test_the_current_folder_is_no_place_for_an_export(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(job_module, "_read", lambda *_: pytest.fail("it was read"))
    with pytest.raises(UserInputError, match="is the current folder"):
        quietly(tmp_path, ".")


def test_the_command_passes_on_what_it_is_given(monkeypatch, tmp_path):
    given = []

    def train(folder, out, **options):
        given.append(options)

    monkeypatch.setattr(job_module, "train_folder", train)
    options = (
        "--out made --from block7a --epochs 0 --licence mine --resize crop".split()
    )
    arguments = ["train", str(tmp_path), *options, "--scheduler", "tls://there:8786"]
    assert CliRunner().invoke(cli.app, arguments).exit_code == 0
    assert given[0] == {
        "backbone": "efficientnet_lite0",
        "from_block": "block7a",
        "epochs": 0,
        "seed": 0,
        "licence": "mine",
        "say": cli._say,
        "scheduler": "tls://there:8786",
        "resize": "crop",
    }
    for text, block in (("2", 2), ("all", None)):
        CliRunner().invoke(cli.app, ["train", str(tmp_path), *options[:3], text])
        assert given[-1]["from_block"] == block
