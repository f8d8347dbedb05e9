"""`tlcourse train`: one call from a folder to an exported network; stopped anywhere, it goes on to the same one."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import dask
import numpy as np
import pytest
from dask_engines import certificate_settings
from PIL import Image
from typer.testing import CliRunner

from tlcourse import cli
from tlcourse import train_folder as job_module
from tlcourse.distributed import local_cluster
from tlcourse.errors import UserInputError
from tlcourse.exported import RECORD, load_exported
from tlcourse.train_folder import train_folder

pytestmark = pytest.mark.slow

QUICK = {"from_block": "head", "epochs": 1}


def write_class(folder, count, level, seed):
    """So many pictures of noise around a level of grey."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = np.clip(rng.normal(level, 40, (40, 40, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("pictures") / "my shades"
    for number, (name, count) in enumerate({"dark": 15, "light": 10}.items()):
        write_class(place / name, count, 70 + 110 * number, number)
    (place / "dark" / "letter.jpg").write_text("Dear Sir or Madam")
    return place


@pytest.fixture(scope="module")
def job(folder, tmp_path_factory):
    """The exported network, and the lines that were said."""
    lines = []
    made = train_folder(
        folder,
        tmp_path_factory.mktemp("out") / "made",
        **QUICK,
        licence="CC0",
        say=lines.append,
    )
    return made, lines


def files(made):
    """What must be the same in each run: the ONNX files, byte for byte, and what was found."""
    record = {
        name: made.record[name] for name in ("test", "class_names", "data", "left_out")
    }
    return [
        (made.folder / name).read_bytes()
        for name in sorted(made.record["files"])
        if "lite" in name
    ], record


# What is made and said


def test_the_network_is_exported_and_knows_the_classes(job):
    made, _ = job
    assert (
        made.class_names == ["dark", "light"]
        and load_exported(made.folder).record == made.record
    )


def test_the_choice_and_its_reason_are_said_and_in_the_record_and_on_the_card(job):
    made, lines = job
    choice = made.record["job"]["choice"]
    assert choice in lines and choice in (made.folder / "MODEL_CARD.md").read_text(
        encoding="utf-8"
    )
    assert ("fine-tuned one is kept" in choice) == (
        made.record["training"]["method"] == "fine-tuned"
    )


@pytest.mark.parametrize(
    ("gained", "lost", "kept"),
    [(1, 0, "probe"), (2, 0, "tuned"), (2, 1, "probe"), (0, 2, "probe")],
)
def test_the_probe_is_kept_unless_the_gain_on_the_validation_pictures_exceeds_one_standard_error(
    folder, bundled_model, monkeypatch, gained, lost, kept
):
    dataset = job_module._read(folder, print)
    truth = dataset.validation.labels
    positions = np.arange(len(truth))

    def answering(wrong):
        answers = np.where(wrong, 1 - truth, truth)
        return lambda *_, **__: SimpleNamespace(predict=lambda inputs: answers)

    for name, wrong in {
        "train_classifier": positions < gained,
        "fine_tune": positions >= len(truth) - lost,
    }.items():
        monkeypatch.setattr(job_module, name, answering(wrong))
    job = job_module._Job(bundled_model, dataset, 1, 3, 0, None, print)
    _, about = job_module._select(job)
    assert about["probe"] == 1 - gained / len(truth)
    assert about["fine_tuned"] == 1 - lost / len(truth)
    assert ("The fine-tuned one is kept" in about["choice"]) == (kept == "tuned")


def test_without_epochs_the_probe_is_all(folder, tmp_path):
    made = train_folder(folder, tmp_path / "made", epochs=0, say=lambda line: None)
    assert (
        made.record["training"]["method"] == "linear probe"
        and made.record["job"]["fine_tuned"] is None
    )


# Once more


def test_the_same_job_again_has_nothing_to_do(job, folder, monkeypatch):
    monkeypatch.setattr(job_module, "_train", lambda *_: pytest.fail("there was work"))
    lines = []
    again = train_folder(
        folder, job[0].folder, **QUICK, licence="CC0", say=lines.append
    )
    assert again.record == job[0].record and lines[-1].endswith("nothing to do.")


@pytest.mark.parametrize("change", ["other settings", "another picture"])
def test_another_job_does_not_overwrite_it(job, folder, tmp_path, change, monkeypatch):
    monkeypatch.setattr(job_module, "_train", lambda *_: pytest.fail("there was work"))
    before = (job[0].folder / RECORD).read_bytes()
    settings = {**QUICK, "licence": "CC0"}
    extra = folder / "light" / "more.png"
    if change == "other settings":
        settings["seed"] = 1
    else:
        Image.new("RGB", (40, 40), (9, 99, 200)).save(extra)
    try:
        with pytest.raises(
            UserInputError, match="made is there already; nothing was overwritten"
        ):
            train_folder(folder, job[0].folder, **settings, say=lambda line: None)
    finally:
        extra.unlink(missing_ok=True)
    assert (job[0].folder / RECORD).read_bytes() == before


def test_killed_half_way_the_same_call_comes_to_the_same_network(job, folder, tmp_path):
    goal = tmp_path / "made"
    program = (
        "import os, signal, sys\n"
        "from tlcourse.train_folder import train_folder\n"
        "def say(line):\n"
        "    if line.startswith(sys.argv[3]):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "train_folder(sys.argv[1], sys.argv[2], from_block='head', epochs=1, licence='CC0', say=say)"
    )
    environment = {
        **os.environ,
        "TLCOURSE_CACHE": str(tmp_path / "cache"),
        "TQDM_DISABLE": "1",
    }
    command = [sys.executable, "-c", program, str(folder), str(goal), "Testing"]
    done = subprocess.run(command, capture_output=True, env=environment)
    assert done.returncode == -signal.SIGKILL and not goal.exists()
    made = train_folder(folder, goal, **QUICK, licence="CC0", say=lambda line: None)
    assert files(made) == files(job[0])


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Address of a Dask scheduler with two workers, whose certificate Dask's settings name."""
    with local_cluster(n_workers=2, threads_per_worker=1) as cluster:
        with dask.config.set(
            certificate_settings(cluster, tmp_path_factory.mktemp("tls"))
        ):
            yield cluster.scheduler_address


def test_the_workers_of_a_scheduler_come_to_the_same_network(
    job, folder, tmp_path, monkeypatch, scheduler
):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    made = train_folder(
        folder,
        tmp_path / "made",
        **QUICK,
        licence="CC0",
        say=lambda line: None,
        scheduler=scheduler,
    )
    assert files(made) == files(job[0])


# What is refused


def test_too_few_pictures_are_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(job_module, "_select", lambda *_: pytest.fail("there was work"))
    for name in ("cat", "dog"):
        write_class(tmp_path / "few" / name, 1, 100, 3 if name == "cat" else 4)
    with pytest.raises(
        UserInputError,
        match="nothing is left for validation and test. Each class needs three",
    ):
        train_folder(tmp_path / "few", tmp_path / "made", say=lambda line: None)


# The command


def test_the_command_hands_on_what_it_is_given(monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(
        job_module,
        "train_folder",
        lambda *arguments: given.append(arguments),
    )
    arguments = [
        "train",
        str(tmp_path),
        "--out",
        "made",
        "--from",
        "block7a",
        "--epochs",
        "0",
        "--licence",
        "mine",
    ]
    arguments += ["--scheduler", "tls://there:8786"]
    assert CliRunner().invoke(cli.app, arguments).exit_code == 0
    assert given[0][2:7] == ("efficientnet_lite0", "block7a", 0, 0, "mine")
    assert given[0][-1] == "tls://there:8786"
    CliRunner().invoke(
        cli.app, ["train", str(tmp_path), "--out", "made", "--from", "2"]
    )
    assert given[1][3] == 2
