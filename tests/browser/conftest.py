"""JupyterLab on this machine alone, and Debian's chromium to look at it with.

Without chromium, or without playwright, these tests are skipped and say so; where TLCOURSE_BROWSER=required (`.ci/run`
sets it) that is an error. TLCOURSE_SCREENSHOTS=folder keeps a picture of what each test has seen last.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from notebook_page import Lesson

ROOT = Path(__file__).resolve().parent.parent.parent
TOKEN = "tests"
SWITCHES = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def missing(what: str) -> None:
    sentence = f"{what} is not installed; on Debian: apt install chromium, and pip install playwright."
    if os.environ.get("TLCOURSE_BROWSER") == "required":
        pytest.fail(f"{sentence} TLCOURSE_BROWSER=required says that it must be there.")
    pytest.skip(sentence)


@pytest.fixture(scope="module")
def switches():
    """More switches of chromium, for a module that needs some."""
    return ()


@pytest.fixture(scope="module")
def chromium(switches):
    """The system's chromium, driven by playwright."""
    path = shutil.which("chromium")
    if path is None:
        missing("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[*SWITCHES, *switches, *root]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lessons_folder(tmp_path_factory):
    """A copy of the lessons, as learners work in: what is saved there changes nothing here."""
    folder = tmp_path_factory.mktemp("lessons")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def own_progress(tmp_path_factory):
    """What the kernels solve, and the tests read, is a file that no other test of this process writes."""
    path = tmp_path_factory.mktemp("progress") / "progress.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLCOURSE_PROGRESS", str(path))
        yield path


@pytest.fixture(scope="module")
def lab(chromium, lessons_folder, tmp_path_factory, own_cache, own_progress):
    """The address of a JupyterLab that serves the copy, with settings of its own."""
    own = tmp_path_factory.mktemp("jupyter")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_RUNTIME_DIR",
        "JUPYTERLAB_SETTINGS_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
    )
    environment = (
        os.environ
        | {name: str(own / name.lower()) for name in folders}
        | {"JUPYTER_PREFER_ENV_PATH": "1"}
        # What installing the course puts into the environment; tests/test_environment.py sees to that.
        | {"JUPYTER_CONFIG_PATH": str(ROOT / "jupyter-config")}
    )
    environment.pop("MPLBACKEND", None)
    options = {
        "ServerApp.root_dir": lessons_folder,
        "ServerApp.port": port,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": TOKEN,
        "LabApp.expose_app_in_browser": True,
        "LabApp.news_url": "",
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        *(f"--{name}={value}" for name, value in options.items()),
    ]
    with open(own / "log.txt", "w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(
            f"{address}/api/status?token={TOKEN}", server, own / "log.txt"
        )
        yield address
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:  # kernels that are busy hold it up
            server.kill()
            server.wait()


def wait_until_it_answers(
    address: str, server: subprocess.Popen, log: Path, seconds: float = 120
) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start: {log.read_text(encoding='utf-8')[-2000:]}")


@pytest.fixture(scope="module")
def open_lesson(chromium, lab, lessons_folder):
    """A function: name of a lesson → the lesson, open in a window of its own; closed when the module is done."""
    opened = []

    def open_one(name: str) -> Lesson:
        context = chromium.new_context(viewport={"width": 1300, "height": 1000})
        lesson = Lesson(
            context.new_page(), lab, TOKEN, lessons_folder / f"{name}.ipynb"
        )
        opened.append(lesson)
        return lesson

    yield open_one
    for lesson in opened:
        lesson.close()
