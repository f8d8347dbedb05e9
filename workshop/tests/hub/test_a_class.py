"""Five learners at once at the hub of workshop/hub, installed by its own script in a machine to throw away.

It takes minutes, root, node and control groups: TLCOURSE_HUB=yes runs it where these are, and skips it with a sentence
where they are not; with TLCOURSE_HUB=required that is an error.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from machine import what_is_missing  # noqa: E402

pytestmark = pytest.mark.slow

WANTED = os.environ.get("TLCOURSE_HUB", "")
EVE = "eve-whose-name-is-as-long-as-is"  # 31 letters, the most that accounts.py takes
NAMES = ["ada", "bob", "cleo", "dan", EVE]
LESSON = "lessons/00_start.ipynb"
COURSE = Path(__file__).resolve().parents[3]


def together(act, learners):
    """What `act` gives for each learner, all at the same time."""
    with ThreadPoolExecutor(len(learners)) as pool:
        return list(pool.map(act, learners))


@pytest.fixture(scope="module")
def hub():
    if not WANTED:
        pytest.skip("A hub for five takes minutes; TLCOURSE_HUB=yes tests it.")
    missing = what_is_missing()
    if not missing and not find_spec("systemdspawner"):
        missing = "The hub's packages are not here: uv pip install --no-deps -r workshop/hub/requirements.txt"
    if missing:
        (pytest.fail if WANTED == "required" else pytest.skip)(missing)
    from class_hub import class_hub

    with class_hub(NAMES, "00", "TLCOURSE_HUB_MEMORY=1G\nTLCOURSE_HUB_CPUS=2\n") as (
        machine,
        learners,
    ):
        yield machine, learners


@pytest.fixture(scope="module")
def machine(hub):
    return hub[0]


@pytest.fixture(scope="module")
def learners(hub):
    """All five, logged in with their passwords and with a server each, started at the same time."""
    five = list(hub[1].values())
    assert together(lambda learner: learner.log_in(), five) == [True] * 5
    together(lambda learner: learner.spawn(), five)
    return hub[1]


@pytest.fixture(scope="module")
def lesson(learners):
    """Name → the cells of lesson 00, run by all five at the same time."""

    def run(learner):
        kernel = learner.open(LESSON)
        cells = [kernel.run(source) for source in learner.cells(LESSON)]
        kernel.close()
        return cells

    return dict(zip(learners, together(run, list(learners.values())), strict=True))


def test_what_the_machine_has_computed_once_is_not_computed_again(
    lesson, learners, machine
):
    from class_hub import HUB

    assert "as tlcourse-warm" in machine.run(str(HUB / "warm.sh"), "00").stdout
    owners = machine.run(
        "sh", "-c", "find /srv/tlcourse/cache -printf '%u\n' | sort -u"
    ).stdout
    assert owners == "tlcourse-warm\n"
    machine.run("rm", "-r", f"/home/{EVE}/.cache/tlcourse")
    kernel = learners[EVE].open(LESSON)
    assert [
        cell.error
        for cell in map(kernel.run, learners[EVE].cells(LESSON))
        if cell.error
    ] == []
    kernel.close()
    sizes = f"find /home/{EVE}/.cache/tlcourse /srv/tlcourse/cache -name '*.sqlite' -printf '%s %h\n' | sort -n"
    own, common = machine.run("sh", "-c", sizes).stdout.splitlines()
    assert (
        own.endswith(f"{EVE}/.cache/tlcourse/tlcourse-cache/features")
        and int(own.split()[0]) < int(common.split()[0]) / 100
    )


@pytest.fixture
def kernel(learners):
    """A kernel of ada's."""
    kernel = learners["ada"].open(LESSON)
    yield kernel
    kernel.close()


def shell(kernel, command):
    """What a shell command of ada's prints, errors included."""
    return kernel.run(
        f"import subprocess; print(subprocess.run({command!r}, shell=True, capture_output=True, text=True))"
    ).text


def test_a_wrong_password_is_refused(hub):
    from client import Learner

    _, learners = hub
    known = learners["ada"]
    assert not Learner(known.hub, "ada", learners["bob"].password).log_in()


def test_an_account_that_is_not_the_courses_is_refused(hub):
    from client import Learner

    machine, learners = hub
    machine.run("useradd", "stranger")
    machine.run("chpasswd", stdin="stranger:known-password")
    assert not Learner(learners["ada"].hub, "stranger", "known-password").log_in()


def test_nobody_can_sign_up(hub):
    import requests

    assert requests.get(f"{hub[1]['ada'].hub}/hub/signup").status_code == 404


@pytest.mark.parametrize("name", NAMES)
def test_lesson_00_runs_to_its_end_without_an_error_for_five_at_once(lesson, name):
    assert (
        len(lesson[name]) > 10
        and [cell.error for cell in lesson[name] if cell.error] == []
    )


def test_a_learner_is_a_user_of_their_own(kernel):
    assert kernel.run("import getpass; print(getpass.getuser())").text == "ada\n"


@pytest.mark.parametrize(
    "path",
    [
        "/home/bob",
        "/home/bob/lessons/00_start.ipynb",
        "/var/lib/tlcourse-hub/cookie_secret",
    ],
)
def test_a_learner_cannot_read_what_is_not_theirs(kernel, path):
    assert "Permission denied" in shell(kernel, f"cat {path}; ls {path}")


@pytest.mark.parametrize(
    "place",
    [
        "/srv/tlcourse/lessons",
        "/srv/tlcourse/cache",
        "/srv",
        str(COURSE / ".venv"),
        "/etc",
    ],
)
def test_what_is_shared_cannot_be_written_to(kernel, place):
    assert "returncode=1" in shell(kernel, f"touch {place}/mine")


def test_a_learner_cannot_become_root_nor_see_others_processes(kernel, learners):
    printed = shell(
        kernel, "ps -e -o user= | sort -u; grep NoNewPrivs /proc/self/status"
    )
    assert r"ada\nNoNewPrivs:\t1\n" in printed and "bob" not in printed


def test_what_a_kernel_says_goes_over_sockets_that_are_its_owners_alone(
    kernel, machine
):
    """Over TCP every user of the machine could listen."""
    kernel.run("pass")
    runtime = "/run/jupyter-ada-singleuser"
    assert machine.run("stat", "-c", "%a %U", runtime).stdout in (
        "700 ada\n",
        "1700 ada\n",
    )
    assert (
        '"transport": "ipc"'
        in machine.run("sh", "-c", f"cat {runtime}/kernel-*.json").stdout
    )


def test_another_learners_server_is_refused(learners):
    import requests

    ada = learners["ada"]
    answer = ada.browser.get(f"{ada.hub}/user/bob/api/contents", allow_redirects=True)
    assert answer.status_code in (403, 404)
    with pytest.raises(requests.HTTPError, match="403|404"):
        ada.ask("GET", "../../bob/api/contents")


def test_beyond_the_memory_limit_a_kernel_is_stopped_and_the_others_go_on(
    kernel, learners
):
    others = learners["bob"].open(LESSON)
    assert others.run("kept = 42").error == ""
    assert kernel.run("full = bytearray(3 << 30)").error.startswith(
        ("KernelDied", "MemoryError")
    )
    assert others.run("print(kept)").text == "42\n"
    assert learners["ada"].ask("GET", "status")  # even their own server does
    others.close()


def test_an_answer_is_never_written_over(learners, machine):
    cleo = learners["cleo"]
    machine.run(
        "sh",
        "-c",
        "echo mine > /home/cleo/lessons/00_start.ipynb; rm -r /home/cleo/lessons/cards",
    )
    cleo.stop()
    cleo.spawn()
    assert machine.run("cat", "/home/cleo/lessons/00_start.ipynb").stdout == "mine\n"
    assert machine.run("ls", "/home/cleo/lessons/cards").stdout


def test_a_restarted_hub_finds_its_learners_at_work(learners, machine):
    from class_hub import _wait_for_an_answer

    kernel = learners["dan"].open(LESSON)
    kernel.run("kept = 42")
    machine.run("systemctl", "restart", "tlcourse-hub")
    _wait_for_an_answer()
    again = learners["dan"].ask("GET", "kernels")
    assert [one["execution_state"] for one in again] == ["idle"]


def test_secrets_are_roots_alone(machine):
    state = "/var/lib/tlcourse-hub"
    secrets = [
        f"{state}/{name}" for name in ("cookie_secret", "proxy.env", "hub.sqlite")
    ]
    assert machine.run("stat", "-c", "%a %U", state, *secrets).stdout.splitlines() == [
        "700 root",
        *["600 root"] * 3,
    ]


def test_installing_again_keeps_accounts_secrets_and_lessons(learners, machine):
    from class_hub import HUB, _wait_for_an_answer

    kept = "cat /var/lib/tlcourse-hub/cookie_secret /etc/tlcourse-hub.env /etc/shadow; ls -R /srv/tlcourse/lessons /home"
    before = machine.run("sh", "-c", kept).stdout
    machine.run(str(HUB / "install.sh"))
    _wait_for_an_answer()
    assert machine.run("sh", "-c", kept).stdout == before


def test_who_fills_the_common_cache_can_log_in_nowhere_and_owns_nothing_else(machine):
    account = machine.run("getent", "passwd", "tlcourse-warm").stdout.strip().split(":")
    assert int(account[2]) < 1000 and account[5:] == [
        "/nonexistent",
        "/usr/sbin/nologin",
    ]
    owned = machine.run(
        "find", "/srv", "/var/lib", "/home", "-maxdepth", "2", "-user", "tlcourse-warm"
    ).stdout.split()
    assert sorted(owned) == ["/srv/tlcourse/cache", "/srv/tlcourse/keras"]


def test_the_record_of_accounts_is_roots_alone(machine):
    record = "/var/lib/tlcourse-hub/accounts"
    assert machine.run("stat", "-c", "%a %U", record).stdout == "600 root\n"
    assert [
        line.partition(":")[0]
        for line in machine.run("cat", record).stdout.splitlines()
    ] == NAMES


def test_the_metadata_service_has_set_its_rules(machine):
    assert (
        machine.run("systemctl", "is-active", "tlcourse-metadata").stdout == "active\n"
    )


def test_uninstalling_takes_everything_away_but_an_account_added_by_hand(
    learners, machine
):
    """The last of these tests: nothing is left to test afterwards."""
    from class_hub import HUB

    machine.run("useradd", "--create-home", "--groups", "tlcourse", "grace")
    machine.run("runuser", "-u", "grace", "--", "touch", "/home/grace/thesis")
    machine.run(str(HUB / "uninstall.sh"), "--accounts")
    assert (
        machine.run("ls", "/home/grace").stdout == "thesis\n"
        and machine.run("id", "grace").returncode == 0
    )
    machine.run("userdel", "--remove", "grace")
    left = "ls /home /srv; ls -d /var/lib/tlcourse-hub /etc/*/*tlcourse* /etc/tlcourse*; getent group tlcourse"
    assert machine.run("sh", "-c", left, check=False).stdout.split() == [
        "/home:",
        "/srv:",
    ]
    assert machine.run("pgrep", "-f", "singleuser", check=False).stdout == ""
