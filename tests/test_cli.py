"""What the `tlcourse` command prints, and how it ends."""

import errno
import io
import os
import re
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tlcourse import __version__, cli, datasets, demo, fetching
from tlcourse.datasets import Dataset, find_pack
from tlcourse.datasets.pack import read_pack
from tlcourse.errors import DatasetUnavailable, WeightsUnavailable
from tlcourse.features.cache import RowCache
from tlcourse.files import make_cache_folder
from tlcourse.models import weights

RESULT = demo.DemoResult(
    accuracy=0.8513,
    plain_accuracy=0.8399,
    seconds=50.0,
    peak_megabytes=1234.5,
    pictures=2624,
)


def run(*arguments, columns=80):
    return CliRunner().invoke(
        cli.app,
        [str(argument) for argument in arguments],
        env={"COLUMNS": str(columns)},
    )


def words(text):
    """The text without its line ends, which depend on the width."""
    return " ".join(text.split())


# --- the command itself ---


def test_without_arguments_the_commands_are_listed():
    output = run().output
    assert all(
        re.search(rf"^\W*{command}  ", output, re.MULTILINE)
        for command in ("demo", "doctor", "fetch", "pack", "cache")
    )


def test_each_help_text_fits_on_a_line():
    listed = re.findall(
        r"^│ (\w+) +(\S.*?) +│$",
        run("--help").output.split("Commands")[1],
        re.MULTILINE,
    )
    assert len(listed) == len(cli.app.registered_commands) + len(
        cli.app.registered_groups
    )
    assert all(text.endswith(".") for _, text in listed)


def test_version():
    assert run("--version").output == f"tlcourse {__version__}\n"


def test_a_refusal_is_one_sentence_without_a_traceback(monkeypatch):
    result = run("pack", "cats", "somewhere")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        result.stderr.startswith("tlcourse: There is no data set 'cats'.")
        and "Traceback" not in result.stderr
    )


def test_square_brackets_of_a_refusal_are_printed(monkeypatch):
    def no_tensorflow(*_, **__):
        raise WeightsUnavailable("Run: pip install '.[cpu]'")

    monkeypatch.setattr(demo, "run_demo", no_tensorflow)
    assert "'.[cpu]'" in run("demo").stderr


def test_an_unexpected_error_keeps_its_traceback(monkeypatch):
    def fault(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(demo, "run_demo", fault)
    assert isinstance(run("demo").exception, ZeroDivisionError)


def test_python_m_tlcourse_is_the_command():
    answer = subprocess.run(
        [sys.executable, "-m", "tlcourse", "--version"], capture_output=True, text=True
    )
    assert answer.stdout == f"tlcourse {__version__}\n"


def test_a_terminal_without_unicode_is_written_to_in_plain_signs():
    terminal = io.TextIOWrapper(
        io.BytesIO(), encoding="ascii", errors="tlcourse-plain", newline=""
    )
    terminal.write("looking … 3–5 × ✓ ü")
    terminal.flush()
    assert terminal.buffer.getvalue() == b"looking ... 3-5 x ok ?"


def test_help_in_a_terminal_without_unicode():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    answer = subprocess.run(
        [sys.executable, "-m", "tlcourse", "--help"],
        capture_output=True,
        env=environment,
    )
    assert (answer.returncode, answer.stderr, answer.stdout.isascii()) == (0, b"", True)


# --- cache ---


def test_the_cache_is_shown_and_cleared(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    with RowCache("network", (1000,), np.float32) as cache:
        cache.put({bytes([number]): np.ones(1000, np.float32) for number in range(100)})
    assert re.search(r"0\.\d MB +features/network\.sqlite", run("cache", "show").output)
    assert re.search(r"0\.\d MB set free in ", words(run("cache", "clear").output))
    assert RowCache("network", (1000,), np.float32).path.stat().st_size < 20_000


def test_cache_shows_the_shards_of_a_job_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    job = make_cache_folder("shards") / ("0" * 24)
    job.mkdir()
    for number in range(3):
        (job / f"shard-{number:06}.parquet").write_bytes(bytes(100_000))
    assert re.findall(r"(\S+) MB +shards/(\S+)", run("cache", "show").output) == [
        ("0.3", job.name)
    ]


# --- demo ---


@pytest.fixture(scope="module")
def a_demo(tmp_path_factory):
    """The demo's output on 12 + 12 cells, and the picture that it saved."""
    pytest.importorskip("elpv_dataset")
    solar = datasets.load_dataset("solar")
    small = Dataset(
        "solar",
        *(split.sample(6) for split in solar.splits.values()),
        solar.class_names,
        solar.card,
    )
    picture = tmp_path_factory.mktemp("demo") / "cells [1].png"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(
            datasets, "load_dataset", lambda name: {"solar": small}[name]
        )
        result = run("demo", "--picture", picture)
    assert result.exit_code == 0, result.output
    return result.stdout, picture


def test_the_demo_says_where_its_picture_is(a_demo):
    output, picture = a_demo
    assert output.splitlines()[-1] == f"  {picture}"


def test_the_demo_saves_a_picture(a_demo):
    with Image.open(a_demo[1]) as picture:
        assert picture.width >= 600 and np.asarray(picture.convert("L")).std() > 20


def test_the_demo_prints_its_accuracy_beside_the_published_ones(a_demo):
    assert re.search(r"^> +\d+\.\d\d%  here", a_demo[0], re.MULTILINE)


def test_the_demo_fits_on_a_screen(a_demo):
    assert len(a_demo[0].splitlines()) <= 24


def lines_of(result):
    return [str(line) for line in demo.report(result, 656)]


def test_the_report_ranks_the_demo_among_the_published_numbers():
    ranked = [line[:9] for line in lines_of(RESULT) if "%  " in line]
    assert ranked == ["   82.44%", ">  85.13%", "   88.42%"]


def test_the_report_says_that_accuracies_are_weighted_and_gives_the_plain_one():
    text = " ".join(lines_of(RESULT))
    assert (
        "weighted by the experts' confidence, as published" in text
        and "Without the weights: 83.99%" in text
    )


def test_the_report_gives_seconds_and_memory():
    assert (
        "2,624 pictures took 50 s (52 a second) and at most 1,234 MB of memory."
        in lines_of(RESULT)
    )


def test_a_slow_run_is_called_slow():
    slow = demo.DemoResult(**{**vars(RESULT), "seconds": 143.0})
    assert ["That is slow" in lines_of(result)[-1] for result in (RESULT, slow)] == [
        False,
        True,
    ]


def test_the_report_needs_no_rich_to_be_read(capsys):
    for line in demo.report(RESULT, 656):
        print(line)
    assert "[bold]" not in capsys.readouterr().out


class Sheet:
    """A figure that can be saved everywhere but in one folder."""

    def __init__(self, read_only):
        self.read_only = read_only

    def savefig(self, path, dpi):
        if path.parent == self.read_only:
            raise OSError(errno.EROFS, "Read-only file system")
        path.touch()


def test_from_a_folder_that_is_read_only_the_picture_goes_elsewhere(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(demo.tempfile, "tempdir", str(tmp_path))
    saved = demo.save(Sheet(Path(".")), Path("cells.png"))
    assert saved.is_file() and tmp_path in saved.parents


@pytest.mark.parametrize(
    "name, sentence",
    [("cells.doc", "must end in"), ("nowhere/cells.png", "There is no folder")],
)
def test_a_picture_that_cannot_be_is_refused_before_the_work(tmp_path, name, sentence):
    result = run("demo", "--picture", tmp_path / name)
    assert (result.exit_code, result.stdout, sentence in result.stderr) == (1, "", True)


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has another way to send Ctrl-C"
)
def test_ctrl_c_ends_the_demo_with_a_sentence(tmp_path):
    pytest.importorskip("elpv_dataset")
    command = [sys.executable, "-u", "-m", "tlcourse", "demo"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    heed = partial(
        signal.signal, signal.SIGINT, signal.SIG_DFL
    )  # a test run in the background ignores it
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        text=True,
        stdout=pipe,
        stderr=pipe,
        preexec_fn=heed,
    ) as process:
        while "Describing" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert (
        process.returncode,
        complaint.count("\n"),
        "Stopped by Ctrl-C" in complaint,
    ) == (130, 1, True), complaint


# --- fetch ---


@pytest.fixture
def internet(monkeypatch, tmp_path):
    """A make-believe internet and machine: what was fetched so far, and, under "broken", what cannot be."""
    fetched, broken = [], set()

    def fetch(name, include_top=False):
        print("Downloading 0/800 MB")
        if name in broken:
            raise DatasetUnavailable(f"{name} came only half. Run the command again.")
        fetched.append(f"{name} with its classifier" if include_top else name)

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(
        fetching,
        "whereabouts",
        lambda name, *_: "/somewhere" if name in fetched else None,
    )
    monkeypatch.setattr(datasets, "fetch", fetch)
    monkeypatch.setattr(weights, "fetch_weights", fetch)
    monkeypatch.setattr(fetching, "fault_of_weights", lambda file: "missing")
    monkeypatch.setattr(fetching, "_fetch_text_network", fetch)
    fetch.fetched, fetch.broken = fetched, broken
    return fetch


def test_fetch_gets_all_that_lessons_need(internet):
    assert run("fetch").exit_code == 0 and internet.fetched == list(
        fetching.LESSONS_NEED
    )


def test_fetch_says_one_line_for_each_thing(internet):
    internet.fetched.append("dogs")
    internet.broken.add("mnist")
    lines = run("fetch", "dogs", "mnist", "vgg16").stdout.splitlines()
    assert [line.split(",")[0].split(".")[0] for line in lines[:3]] == [
        "dogs: already here", "mnist: could not be fetched", "vgg16: fetched"
    ]  # fmt: skip


def test_fetch_goes_on_after_a_failure_and_fails_in_the_end(internet):
    internet.broken.add("mnist")
    result = run("fetch", "mnist", "kmnist")
    assert (result.exit_code, internet.fetched) == (1, ["kmnist"])


def test_fetch_says_how_to_go_on_where_it_stopped(internet):
    internet.broken.add("mnist")
    assert run("fetch", "mnist", "kmnist").stdout.endswith(
        "To go on where this stopped: tlcourse fetch mnist\n"
    )


def test_fetch_refuses_an_unknown_name_before_anything_is_fetched(internet):
    result = run("fetch", "dogs", "cats")
    assert (result.exit_code, internet.fetched) == (1, [])
    assert "cats" in result.stderr and all(
        name in result.stderr for name in ("dogs", "mnist", "vgg16")
    )


def test_fetch_knows_what_comes_with_the_course(internet):
    assert (
        "efficientnet_lite0 comes with the course"
        in run("fetch", "efficientnet_lite0").stderr
    )


def test_fetch_brings_the_classifier_when_asked(internet):
    run("fetch", "vgg16", "--with-classifier")
    assert internet.fetched == ["vgg16", "vgg16 with its classifier"]


def test_what_the_downloader_prints_is_kept_out_of_the_lines(internet):
    result = run("fetch", "dogs")
    assert ("Downloading" in result.stdout, "Downloading" in result.stderr) == (
        False,
        True,
    )


@pytest.fixture
def no_internet(tmp_path, monkeypatch):
    """Nothing is here and no host can be reached; returns the list of hosts that were asked for."""
    asked = []

    def refuse(host, *_, **__):
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    for variable in ("TFDS_DATA_DIR", "KERAS_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    for variable in (
        "TLCOURSE_PACKS",
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return asked


@pytest.mark.parametrize(
    "name, cure",
    [
        ("dogs", "run `tlcourse pack dogs FOLDER` on a machine that has the data"),
        ("kmnist", "from a machine that has it, to the same place"),
        ("bert-base-uncased", "run `tlcourse pack bert-base-uncased FOLDER`"),
        ("vgg16", "copy vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 into"),
    ],
)
def test_without_internet_fetch_asks_once_and_says_what_to_do(no_internet, name, cure):
    result = run("fetch", name)
    assert (result.exit_code, len(no_internet)) == (1, 1)
    assert (
        f"{no_internet[0]} cannot be reached" in result.stdout and cure in result.stdout
    )


def test_a_proxy_is_asked_for_in_place_of_the_host(no_internet, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy.school.example:3128")
    run("fetch", "vgg16")
    assert no_internet == ["proxy.school.example"]


def test_weights_that_were_cut_short_are_fetched_again(no_internet, tmp_path):
    file = tmp_path / "KERAS_HOME" / "models" / weights.weights_file("vgg16").name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half")
    assert fetching.whereabouts("vgg16") is None


# --- pack ---


@pytest.fixture
def pictures_written(tmp_path):
    folder = tmp_path / "für den Stick"
    assert run("pack", "samples", folder).exit_code == 0
    return folder


def test_a_pack_is_found_through_its_setting(pictures_written, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PACKS", str(pictures_written))
    pack, samples = read_pack(find_pack("samples")), datasets.load_dataset("samples")
    assert pack.test.label_names.tolist() == samples.test.label_names.tolist()


def test_an_existing_pack_is_not_overwritten(pictures_written):
    result = run("pack", "samples", pictures_written)
    assert (result.exit_code, "exists already" in result.stderr) == (1, True)


def test_pack_says_what_to_set_on_the_other_machine(tmp_path):
    assert run("pack", "samples", tmp_path / "my stick").stdout.endswith(
        f'TLCOURSE_PACKS="{tmp_path / "my stick"}"\n'
    )


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").touch()
    result = run("pack", "samples", tmp_path / "file" / "folder")
    assert (result.exit_code, "could not be written" in result.stderr) == (1, True)
