"""What deploy/jupyterhub promises, as far as files show it; tests/hub starts it with five learners at once."""

import importlib.util
import io
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import needs_root
import pytest
import yaml
from test_environment import (
    applies,
    canonicalize_name,
    lock_lines,
    locked_versions,
    marker_environment,
)

ROOT = Path(__file__).resolve().parent.parent
HUB = ROOT / "deploy" / "jupyterhub"
SCRIPTS = sorted(HUB.glob("*.sh"))
LOCK = "deploy/jupyterhub/requirements.txt"
VALUES = yaml.safe_load(
    (HUB / "kubernetes" / "values.yaml").read_text(encoding="utf-8")
)
SHARED = list(
    yaml.safe_load_all((HUB / "kubernetes" / "shared.yaml").read_text(encoding="utf-8"))
)

# The keys of the chart's configuration reference that values.yaml uses (z2jh.jupyter.org, "Configuration Reference",
# and values.schema.yaml there). The chart is on no package index, so the schema itself cannot be had here; it allows no
# key that it does not know, at the places listed here. Below "…" anything goes.
KNOWN = """
hub.config.… hub.allowNamedServers hub.concurrentSpawnLimit hub.networkPolicy.enabled
proxy.service.type proxy.https.enabled proxy.chp.networkPolicy.enabled
singleuser.image.name singleuser.image.tag singleuser.cmd singleuser.defaultUrl singleuser.startTimeout singleuser.uid
singleuser.fsGid singleuser.memory.guarantee singleuser.memory.limit singleuser.cpu.guarantee singleuser.cpu.limit
singleuser.networkPolicy.enabled singleuser.networkPolicy.egressAllowRules.cloudMetadataServer
singleuser.networkPolicy.egressAllowRules.privateIPs singleuser.networkPolicy.egressAllowRules.nonPrivateIPs
singleuser.networkPolicy.egress singleuser.cloudMetadata.blockWithIptables singleuser.cloudMetadata.ip
singleuser.storage.type singleuser.storage.homeMountPath singleuser.storage.capacity singleuser.storage.extraVolumes
singleuser.storage.extraVolumeMounts singleuser.extraEnv.…
prePuller.hook.enabled prePuller.continuous.enabled cull.enabled cull.timeout cull.every
scheduling.userScheduler.enabled
""".split()


def text_of(name):
    return (HUB / name).read_text(encoding="utf-8")


def loaded(monkeypatch, **environment):
    """The hub's configuration, read by traitlets as JupyterHub reads it."""
    from traitlets.config import PyFileConfigLoader

    for name in ("MEMORY", "CPUS", "KEY", "CERTIFICATE", "PORT"):
        monkeypatch.delenv(f"TLCOURSE_HUB_{name}", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return PyFileConfigLoader(str(HUB / "jupyterhub_config.py")).load_config()


def script(name):
    """One of the scripts in Python, as a module."""
    spec = importlib.util.spec_from_file_location(name, HUB / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- one machine ---


def test_the_limits_are_those_of_the_settings_file(monkeypatch):
    c = loaded(monkeypatch)
    written = dict(
        re.findall(r"^(TLCOURSE_HUB_\w+)=(\S+)", text_of("hub.env"), re.MULTILINE)
    )
    assert written == {
        "TLCOURSE_HUB_MEMORY": c.Spawner.mem_limit,
        "TLCOURSE_HUB_CPUS": f"{c.Spawner.cpu_limit:g}",
    }


def test_without_a_certificate_it_listens_on_this_machine_only(monkeypatch):
    assert loaded(monkeypatch).JupyterHub.bind_url == "http://127.0.0.1:8000"


@pytest.mark.parametrize("one", ["TLCOURSE_HUB_KEY", "TLCOURSE_HUB_CERTIFICATE"])
def test_half_a_certificate_opens_nothing(monkeypatch, one):
    assert loaded(monkeypatch, **{one: "/etc/half.pem"}).JupyterHub.bind_url.startswith(
        "http://127.0.0.1:"
    )


def test_with_a_certificate_it_listens_to_all_with_tls(monkeypatch):
    c = loaded(
        monkeypatch,
        TLCOURSE_HUB_KEY="/etc/key.pem",
        TLCOURSE_HUB_CERTIFICATE="/etc/certificate.pem",
    )
    assert c.JupyterHub.bind_url == "https://:443"


def test_only_accounts_of_the_course_come_in_and_nobody_signs_up(monkeypatch):
    c = loaded(monkeypatch)
    assert (
        c.JupyterHub.authenticator_class == "pam" and c.Authenticator.allow_all is False
    )
    assert (
        c.PAMAuthenticator.allowed_groups == {"tlcourse"}
        and not c.LocalAuthenticator.create_system_users
    )


def test_each_learner_is_a_service_of_their_own(monkeypatch):
    c = loaded(monkeypatch)
    assert (
        c.JupyterHub.spawner_class == "systemd" and not c.JupyterHub.allow_named_servers
    )
    assert (
        c.SystemdSpawner.isolate_tmp
        and c.SystemdSpawner.isolate_devices
        and c.SystemdSpawner.disable_user_sudo
    )


def test_jupyterhub_knows_every_setting(monkeypatch):
    """A misspelt setting is silently nothing."""
    for package in ("jupyterhub", "systemdspawner"):
        pytest.importorskip(
            package,
            reason=f"uv pip install --no-deps -r {LOCK} brings the hub's packages",
        )
    from jupyterhub.app import JupyterHub
    from jupyterhub.auth import Authenticator, LocalAuthenticator, PAMAuthenticator
    from jupyterhub.proxy import ConfigurableHTTPProxy
    from jupyterhub.spawner import Spawner
    from systemdspawner import SystemdSpawner

    kinds = [
        JupyterHub,
        Authenticator,
        LocalAuthenticator,
        PAMAuthenticator,
        ConfigurableHTTPProxy,
        Spawner,
    ]
    known = {
        kind.__name__: kind.class_traits(config=True)
        for kind in [*kinds, SystemdSpawner]
    }
    unknown = [
        f"{kind}.{name}"
        for kind, set_ in loaded(monkeypatch).items()
        for name in set_
        if name not in known[kind]
    ]
    assert unknown == []


def test_no_file_has_a_secret_in_it():
    files = [
        path
        for path in HUB.rglob("*")
        if path.is_file() and path.name != "requirements.txt"
    ]
    files = [
        path for path in files if path.parent.name != "__pycache__"
    ]  # made where a script of these is imported
    telling = re.compile(
        r"""(?i)\w*(token|secret|password)["']?\]?\s*[=:]\s*["'][^"'$]+["']|[0-9a-f]{32}"""
    )
    assert (
        files
        and [
            (path.name, match[0])
            for path in files
            for match in telling.finditer(path.read_text(encoding="utf-8"))
        ]
        == []
    )


def test_passwords_are_long_and_never_the_same():
    made = {script("accounts").new_password() for _ in range(100)}
    assert len(made) == 100 and all(
        re.fullmatch(r"([a-km-z2-9]{4}-){3}[a-km-z2-9]{4}", one) for one in made
    )


@pytest.mark.parametrize(
    "line",
    ["Ada", "ada lovelace", "root;reboot", "-ada", "a", "../ada", "1ada", "ada:x"],
)
def test_a_class_list_with_a_name_that_is_none_makes_no_account(tmp_path, line):
    (tmp_path / "class.txt").write_text(f"bob\n{line}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="no user names: .* No account was made"):
        script("accounts").read_list(tmp_path / "class.txt")


def test_a_name_that_is_in_a_class_list_twice_is_said(tmp_path):
    (tmp_path / "class.txt").write_text(
        "ada\nbob\nada, another Ada\n", encoding="utf-8"
    )
    with pytest.raises(SystemExit, match="twice: ada"):
        script("accounts").read_list(tmp_path / "class.txt")


def test_comments_and_full_names_are_left_alone(tmp_path):
    (tmp_path / "class.txt").write_text(
        "# a class\nada, Ada Lovelace\n\nbob\n", encoding="utf-8"
    )
    assert script("accounts").read_list(tmp_path / "class.txt") == ["ada", "bob"]


@pytest.mark.skipif(
    os.name == "nt" or shutil.which("sh") is None, reason="the hub is for Linux"
)
def test_lessons_are_copied_and_never_over_answers(tmp_path):
    """start-learner.sh is run with a stand-in for the server."""
    script = tmp_path / "course" / "deploy" / "jupyterhub" / "start-learner.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(HUB / "start-learner.sh", script)
    server = tmp_path / "course" / ".venv" / "bin" / "jupyterhub-singleuser"
    server.parent.mkdir(parents=True)
    server.write_text("#!/bin/sh\necho started $*\n")
    server.chmod(0o755)
    given, home = tmp_path / "given out", tmp_path / "ho me"
    (given / "cards").mkdir(parents=True)
    (given / "00.ipynb").write_text("new")
    (given / "cards" / "00.html").write_text("card")
    (home / "lessons").mkdir(parents=True)
    (home / "lessons" / "00.ipynb").write_text("an answer")
    environment = {**os.environ, "HOME": str(home), "TLCOURSE_LESSONS": str(given)}
    for _ in range(2):
        run = subprocess.run(
            [str(script), "--port=1"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    assert run.stdout == "started --port=1\n" and run.stderr == ""
    assert (home / "lessons" / "00.ipynb").read_text() == "an answer"
    assert (home / "lessons" / "cards" / "00.html").read_text() == "card"
    assert (home / "as-handed-out" / "00.ipynb").read_text() == "new"


@pytest.mark.parametrize(
    "path",
    [*SCRIPTS, HUB / "accounts.py", HUB / "proxy.py"],
    ids=lambda path: path.name,
)
def test_scripts_can_be_run(path):
    assert path.read_text(encoding="utf-8").startswith("#!") and (
        os.name == "nt" or os.access(path, os.X_OK)
    )
    if path.suffix == ".sh" and shutil.which("bash"):
        assert subprocess.run(["bash", "-n", str(path)]).returncode == 0


def test_the_readme_names_scripts_that_are_there():
    named = set(
        re.findall(
            r"(?:deploy/jupyterhub/|\./)(\w[\w-]*\.(?:sh|py))", text_of("README.md")
        )
    )
    assert {"install.sh", "accounts.py", "uninstall.sh", "warm.sh"} <= named
    assert [name for name in named if not (HUB / name).is_file()] == []


# --- what root does ---


@pytest.fixture
def machine_accounts(monkeypatch, tmp_path):
    """Accounts of a machine that does not exist: accounts.py as `module`, what is `there`, and what was `removed`."""
    module, there, removed = script("accounts"), {}, []

    def getpwnam(name):
        uid, home = there[name]
        return SimpleNamespace(pw_name=name, pw_uid=uid, pw_dir=str(home))

    def run(command, **_):
        assert command[:2] == ["userdel", "--remove"]
        removed.append(command[2])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(module, "MADE", tmp_path / "state" / "accounts")
    monkeypatch.setattr(module.pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(
        module.grp, "getgrnam", lambda _: SimpleNamespace(gr_mem=list(there))
    )
    monkeypatch.setattr(module.subprocess, "run", run)
    monkeypatch.setattr(
        module, "FIRST_UID", min(1000, os.getuid())
    )  # homes below belong to whoever runs the tests

    def made(name, uid=None):
        home = tmp_path / name
        home.mkdir()
        there[name] = os.getuid() if uid is None else uid, home
        module.record(name)

    return SimpleNamespace(
        module=module, there=there, removed=removed, made=made, folder=tmp_path
    )


@pytest.mark.skipif(os.name == "nt", reason="the hub is for Linux")
def test_only_accounts_that_the_hub_made_are_removed(machine_accounts, capsys):
    """Somebody whom a teacher added to the group by hand keeps account and home."""
    machine_accounts.made("ada")
    machine_accounts.there["teacher-of-long"] = os.getuid(), machine_accounts.folder
    machine_accounts.module.remove_all()
    assert (
        machine_accounts.removed == ["ada"]
        and "left teacher-of-long" in capsys.readouterr().out
    )


@pytest.mark.skipif(os.name == "nt", reason="the hub is for Linux")
def test_an_account_made_again_by_somebody_else_is_not_removed(
    machine_accounts, capsys
):
    machine_accounts.made("ada")
    machine_accounts.there["ada"] = os.getuid() + 1, machine_accounts.folder / "ada"
    machine_accounts.module.remove_all()
    assert machine_accounts.removed == [] and "left ada" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="the hub is for Linux")
def test_a_system_account_is_not_removed(machine_accounts, capsys):
    machine_accounts.made("daemon")
    machine_accounts.module.FIRST_UID = os.getuid() + 1
    machine_accounts.module.remove_all()
    assert (
        machine_accounts.removed == [] and "system account" in capsys.readouterr().out
    )


@pytest.mark.skipif(os.name == "nt", reason="the hub is for Linux")
@pytest.mark.parametrize("change", ["a link", "another home", "another owner"])
def test_an_account_whose_home_is_another_is_not_removed(machine_accounts, change):
    owner = os.getuid() + (
        change == "another owner"
    )  # the folder is made by this process
    machine_accounts.made("ada", owner)
    home = machine_accounts.folder / "ada"
    if change == "a link":
        home.rename(machine_accounts.folder / "elsewhere")
        home.symlink_to(machine_accounts.folder / "elsewhere")
    elif change == "another home":
        machine_accounts.there["ada"] = os.getuid(), Path("/")
    machine_accounts.module.remove_all()
    assert machine_accounts.removed == []


@pytest.mark.skipif(os.name == "nt", reason="the hub is for Linux")
def test_accounts_are_removed_where_the_group_is_gone(machine_accounts, monkeypatch):
    machine_accounts.made("ada")
    monkeypatch.setattr(
        machine_accounts.module.grp, "getgrnam", {}.__getitem__
    )  # raises KeyError, as the real one
    machine_accounts.module.remove_all()
    assert machine_accounts.removed == ["ada"]


@pytest.mark.skipif(os.name == "nt", reason="the hub is for Linux")
def test_an_account_that_is_busy_can_be_removed_later(machine_accounts, monkeypatch):
    """userdel refuses an account that has processes: it stays in the record, and the others are removed."""
    machine_accounts.made("ada")
    machine_accounts.made("bob")
    run, busy = machine_accounts.module.subprocess.run, ["ada"]

    def refuse(command, **options):
        if command[2] in busy:
            return subprocess.CompletedProcess(
                command, 8, "", f"userdel: user {command[2]} is currently used"
            )
        return run(command, **options)

    monkeypatch.setattr(machine_accounts.module.subprocess, "run", refuse)
    with pytest.raises(SystemExit, match="ada"):
        machine_accounts.module.remove_all()
    assert machine_accounts.removed == ["bob"]
    del machine_accounts.there["bob"]
    busy.clear()
    machine_accounts.module.remove_all()
    assert machine_accounts.removed == ["bob", "ada"]


UNINSTALL_STAND_INS = """
id() { if [ "$*" = -u ]; then echo 0; fi; }  # root, and every account exists
systemctl() { echo systemctl $* >> "$SAID"; }
groupdel() { echo groupdel $* >> "$SAID"; return 6; }  # no such group
userdel() { echo userdel $* >> "$SAID"; return 8; }  # the account has processes
ip() { :; }
export -f id systemctl groupdel userdel ip
"""


@pytest.mark.skipif(
    os.name == "nt" or shutil.which("bash") is None, reason="the hub is for Linux"
)
@pytest.mark.parametrize(
    "record", ["", "ada:1:/home/ada\n", "half a li"], ids=["empty", "gone", "damaged"]
)
def test_uninstalling_goes_on_to_its_end_whatever_is_missing_or_busy(tmp_path, record):
    """uninstall.sh with its folders below another one: the group is gone, tlcourse-warm is busy."""
    for name in ("uninstall.sh", "accounts.py", "metadata.sh"):
        text = re.sub(r"/(etc|srv|var)/", rf"{tmp_path}/\1/", text_of(name))
        (tmp_path / name).write_text(
            text.replace('"tlcourse"', '"no-such-group"'), encoding="utf-8"
        )
        (tmp_path / name).chmod(0o755)
    state, ssh = (
        tmp_path / "var/lib/tlcourse-hub",
        tmp_path / "etc/ssh/sshd_config.d/tlcourse-hub.conf",
    )
    for path in (
        state / "accounts",
        ssh,
        tmp_path / "srv/tlcourse/lesson",
        tmp_path / "etc/pam.d/tlcourse-hub",
    ):
        path.parent.mkdir(parents=True)
        path.write_text(record)
    said = tmp_path / "said"
    script = f"{UNINSTALL_STAND_INS}{tmp_path}/uninstall.sh --accounts"
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "SAID": str(said)},
        capture_output=True,
        text=True,
    )
    assert said.read_text().splitlines()[-2:] == [
        "userdel tlcourse-warm",
        "systemctl daemon-reload",
    ], done.stderr
    assert (
        not (tmp_path / "srv/tlcourse").exists()
        and not (tmp_path / "etc/pam.d/tlcourse-hub").exists()
    )
    # Where an account may be left, so are its record and the line that keeps its password from ssh.
    assert (
        state.exists()
        == ssh.exists()
        == (record == "half a li")
        == (done.returncode != 0)
    )


@pytest.mark.skipif(os.name == "nt", reason="the hub is for Linux")
def test_the_record_of_accounts_is_for_its_owner_alone_and_follows_no_link(
    machine_accounts,
):
    machine_accounts.made("ada")
    record = machine_accounts.module.MADE
    assert (
        record.stat().st_mode & 0o777 == 0o600
        and record.parent.stat().st_mode & 0o777 == 0o700
    )
    record.unlink()
    record.symlink_to(machine_accounts.folder / "shadow")
    with pytest.raises(OSError):
        machine_accounts.module.record("ada")


@pytest.mark.skipif(
    os.name == "nt" or shutil.which("tar") is None, reason="the hub is for Linux"
)
def test_collected_answers_are_readable_for_root_alone(tmp_path):
    """The README's own command, with another folder in place of /home, over an archive of an earlier time."""
    (command,) = re.findall(r"\| `([^`]*tar -czf [^`]*)` \|", text_of("README.md"))
    homes = tmp_path / "homes"
    homes.mkdir()
    (homes / "answer").write_text("42")
    (tmp_path / "answers.tar.gz").write_text("of last year")
    (tmp_path / "answers.tar.gz").chmod(0o644)
    command = f"umask 022; {command.replace('/home', str(homes))}"
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / "answers.tar.gz").stat().st_mode & 0o777 == 0o600


def test_every_archive_of_homes_that_is_recommended_is_private():
    pages = [*HUB.rglob("*.md"), ROOT / "docs" / "instructors.md"]
    commands = [
        line
        for page in pages
        for line in page.read_text(encoding="utf-8").splitlines()
        if "/home" in line
    ]
    assert [
        line for line in commands if "tar -c" in line and "umask 077" not in line
    ] == []


# --- the cloud's metadata: a stand-in at its address, in network namespaces made for the test ---

CLOUD = """
set -e
ip link set lo up
unshare -n sleep 60 & cloud=$!
trap 'kill $cloud' EXIT
until [ "$(readlink /proc/$cloud/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link add here type veth peer name there netns $cloud
ip link set here up
nsenter -t $cloud -n sh -ec '
  ip link set lo up; ip link set there up
  for address in $ADDRESSES; do ip addr add $address dev there $NODAD; done'
ip addr add $HERE dev here $NODAD
ip route add default via $GATEWAY
nsenter -t $cloud -n "$PYTHON" "$KNOCK" serve > /dev/null 2>&1 & server=$!
trap 'kill $server $cloud' EXIT
"$PYTHON" "$KNOCK" before
"$HUB"/metadata.sh block
"$HUB"/metadata.sh block
"$PYTHON" "$KNOCK" blocked
"$HUB"/metadata.sh allow
"$PYTHON" "$KNOCK" allowed
"""
KNOCK = """
import json, os, socket, sys, time
if sys.argv[1] == "serve":
    six = ":" in os.environ["GATEWAY"]
    server = socket.create_server(("", 80), family=socket.AF_INET6 if six else socket.AF_INET)
    while True:
        server.accept()[0].close()
addresses = os.environ["KNOCK_AT"].split()
for address in addresses:
    for _ in range(100):  # until the stand-in answers
        try:
            socket.create_connection((address, 80), 1).close()
            break
        except OSError:
            time.sleep(0.1)
reached = []
for uid in (0, 999, 1000, 65534):
    for address in addresses:
        read, write = os.pipe()
        if os.fork() == 0:
            os.setuid(uid)
            try:
                socket.create_connection((address, 80), 2).close()
                os.write(write, b"yes")
            except OSError:
                os.write(write, b"no")
            os._exit(0)
        os.wait()
        if os.read(read, 3) == b"yes":
            reached.append([uid, address])
print(json.dumps(reached), flush=True)
"""
IPV4 = {
    "metadata": ["169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192"],
    "elsewhere": "93.184.216.34",
    "here": "192.168.77.1/24",
    "gateway": "192.168.77.2",
}
IPV6 = {
    "metadata": [
        "fe80::a9fe:a9fe",  # OpenStack, Akamai
        "fd00:ec2::254",  # Amazon
        "fd20:ce::254",  # Google
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd00:42::42",  # Scaleway
        "fd00:a9fe:a9fe::1",  # Akamai
        "fd00:100::100:200",  # Alibaba
    ],
    "elsewhere": "2001:db8::1",
    "here": "fd77::1/64",
    "gateway": "fd77::2",
}


def in_own_network(script: str, **environment: str) -> str:
    """What a shell script prints that runs as root in a network namespace of its own."""
    environment = {**os.environ, "HUB": str(HUB), **environment}
    environment["PATH"] += ":/usr/sbin:/sbin"
    command = ["unshare", "-n", "bash", "-ec", script]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def network_namespaces():
    """This process can make a network of its own."""
    if os.name == "nt" or os.geteuid() != 0:
        needs_root.skip("a network namespace takes root")
    missing = [
        name
        for name in ("ip", "unshare", "nsenter")
        if not shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    ]
    if missing:
        needs_root.skip(f"not here: {', '.join(missing)}")
    made = "ip link add here type veth && for n in 4 6; do ip -$n rule add uidrange 1-2 ipproto tcp prohibit || exit; done"
    if subprocess.run(
        ["unshare", "-n", "sh", "-c", made], capture_output=True
    ).returncode:
        needs_root.skip("no network namespace, or no routing by user, can be had here")


@pytest.mark.parametrize("family", [IPV4, IPV6], ids=["IPv4", "IPv6"])
def test_learners_do_not_reach_the_clouds_metadata(
    network_namespaces, tmp_path, family
):
    """Root and system accounts do, everybody reaches other addresses, and without the rule everybody reaches all."""
    knock = tmp_path / "knock.py"
    knock.write_text(KNOCK, encoding="utf-8")
    metadata, elsewhere = family["metadata"], family["elsewhere"]
    prefix = "/64" if family is IPV6 else "/24"
    # An address of the link needs the name of the link; the link's own prefix makes a route to it.
    addresses = [
        f"{one}/64" if one.startswith("fe80") else one for one in [*metadata, elsewhere]
    ]
    metadata = [f"{one}%here" if one.startswith("fe80") else one for one in metadata]
    printed = in_own_network(
        CLOUD,
        KNOCK=str(knock),
        PYTHON=sys.executable,
        ADDRESSES=" ".join([family["gateway"] + prefix, *addresses]),
        KNOCK_AT=" ".join([*metadata, elsewhere]),
        HERE=family["here"],
        GATEWAY=family["gateway"],
        NODAD="nodad" if family is IPV6 else "",
    )
    before, blocked, allowed = map(json.loads, printed.splitlines())
    everything = [
        [uid, address]
        for uid in (0, 999, 1000, 65534)
        for address in [*metadata, elsewhere]
    ]
    assert before == allowed == everything
    assert [one for one in everything if one not in blocked] == [
        [u, a] for u in (1000, 65534) for a in metadata
    ]


ADMINISTRATORS = "for n in 4 6; do ip -$n rule add preference 100 {} lookup 77; done\n"  # policy routing of their own
RULES = "ip -4 rule; ip -6 rule; echo --\n"
BLOCK, ALLOW = ('"$HUB/metadata.sh" ' + action + "\n" for action in ("block", "allow"))


def test_an_administrators_rules_of_the_same_preference_stay(network_namespaces):
    rule = ADMINISTRATORS.format("fwmark 7")
    printed = in_own_network(f"{rule}{RULES}{BLOCK}{RULES}{ALLOW}{RULES}")
    before, blocked, allowed = printed.split("--\n")[:3]
    assert (
        before == allowed != blocked
        and before.count("fwmark 0x7") == blocked.count("fwmark 0x7") == 2
    )


def test_blocking_again_leaves_no_moment_without_a_rule(network_namespaces):
    """A rule that is removed and made again comes to stand behind one of the same preference that was made between."""
    rule = ADMINISTRATORS.format("fwmark 7")
    before, after, _ = in_own_network(f"{BLOCK}{rule}{RULES}{BLOCK}{RULES}").split(
        "--\n"
    )
    assert after == before and "prohibit" in before


def test_a_rule_that_is_missing_is_added_again(network_namespaces):
    lost = "ip -4 rule del to 192.0.0.192\n"
    before, after, _ = in_own_network(f"{BLOCK}{RULES}{lost}{BLOCK}{RULES}").split(
        "--\n"
    )
    assert (
        sorted(after.splitlines()) == sorted(before.splitlines())
        and "192.0.0.192" in after
    )


def test_nothing_but_uninstalling_lifts_the_block():
    """Not even for the moment of an update: a learner's program could ask again and again until it gets an answer."""
    service = text_of("tlcourse-metadata.service")
    assert "ExecStop" not in service and re.search(
        r"^ExecReload=.* block$", service, re.MULTILINE
    )
    lifting = [
        path.name
        for path in SCRIPTS
        if 'metadata.sh" allow' in path.read_text(encoding="utf-8")
    ]
    assert lifting == ["uninstall.sh"]
    assert re.findall(r"systemctl (\S+) tlcourse-metadata", text_of("install.sh")) == [
        "reload-or-restart"
    ]


def test_the_hub_starts_only_where_the_metadata_is_blocked_at_each_boot():
    hub, metadata = (
        text_of("tlcourse-hub.service"),
        text_of("tlcourse-metadata.service"),
    )
    assert (
        "Requires=tlcourse-metadata.service" in hub and "metadata.sh block" in metadata
    )
    assert re.search(r"^After=.*tlcourse-metadata\.service", hub, re.MULTILINE)
    assert (
        "WantedBy=multi-user.target" in metadata
        and "systemctl enable --quiet tlcourse-metadata" in text_of("install.sh")
    )


def test_on_kubernetes_learners_reach_neither_the_metadata_nor_private_addresses():
    policy = VALUES["singleuser"]["networkPolicy"]
    ((rule,),) = (one["to"] for one in policy["egress"])
    assert policy["enabled"] and not any(policy["egressAllowRules"].values())
    blocked = [ipaddress.ip_network(cidr) for cidr in rule["ipBlock"]["except"]]
    for address in ("169.254.169.254", "168.63.129.16", "10.1.2.3", "192.168.1.1"):
        assert any(ipaddress.ip_address(address) in network for network in blocked)


# --- the packages ---


def packed(folder, name, version, files):
    """An archive as `npm pack` makes it; its integrity."""
    with tarfile.open(
        folder / script("proxy").file_name(name, version), "w:gz"
    ) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"package/{path}")
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            member.size = len(content or b"")
            archive.addfile(member, io.BytesIO(content or b""))
    return script("proxy").integrity(
        (folder / script("proxy").file_name(name, version)).read_bytes()
    )


def test_the_proxys_packages_are_locked_with_version_and_sha512():
    locked = script("proxy").read_lock()
    assert (
        any(place == "node_modules/configurable-http-proxy" for place, _, _ in locked)
        and len(locked) > 20
    )
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for _, version, _ in locked)
    assert all(
        re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", integrity)
        for _, _, integrity in locked
    )
    assert all(
        re.fullmatch(r"(node_modules/(@[\w.-]+/)?[\w.-]+/?)+", place)
        and ".." not in place
        for place, _, _ in locked
    )


def test_root_neither_resolves_npm_packages_nor_runs_their_scripts():
    assert "npm install" not in text_of("install.sh") and "proxy.py" in text_of(
        "install.sh"
    )
    assert "--ignore-scripts" in script("proxy").QUIET


@pytest.mark.skipif(os.name == "nt", reason="the hub is for Linux")
def test_a_package_that_is_the_locked_one_is_unpacked(tmp_path):
    integrity = packed(tmp_path, "@a/b", "1.0.0", {"lib/index.js": b"1"})
    script("proxy").unpack(
        [("node_modules/@a/b", "1.0.0", integrity)], tmp_path, tmp_path / "out"
    )
    assert (tmp_path / "out/node_modules/@a/b/lib/index.js").read_bytes() == b"1"


@pytest.mark.skipif(os.name == "nt", reason="the hub is for Linux")
@pytest.mark.parametrize("kind", ["another content", "missing", "a link", "a way out"])
def test_a_package_that_is_another_is_refused(tmp_path, kind):
    files = {"a link": {"x": None}, "a way out": {"../../x": b"1"}}.get(
        kind, {"x": b"1"}
    )
    integrity = packed(tmp_path, "a", "1.0.0", files)
    if kind == "another content":
        packed(tmp_path, "a", "1.0.0", {"x": b"2"})
    if kind == "missing":
        (tmp_path / "a-1.0.0.tgz").unlink()
    with pytest.raises(SystemExit, match="Nothing was installed"):
        script("proxy").unpack(
            [("node_modules/a", "1.0.0", integrity)], tmp_path, tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_the_hub_changes_no_version_that_a_learner_has(python):
    """Both are in one environment. Where this fails: the command in requirements.in."""
    linux = (python, "linux", "x86_64")
    course, hub = locked_versions(*linux), locked_versions(*linux, LOCK)
    assert {
        name: (course[name], hub[name])
        for name in set(course) & set(hub)
        if course[name] != hub[name]
    } == {}


def test_the_hub_is_jupyterhub_5_with_an_exact_version_and_hash_for_everything():
    environment = marker_environment("3.12", "linux", "x86_64")
    locked = [
        (line, hashes)
        for line, hashes in lock_lines(LOCK)
        if applies(line, environment)
    ]
    assert all(
        [s.operator for s in line.specifier] == ["=="] and hashes
        for line, hashes in locked
    )
    (hub,) = [
        line for line, _ in locked if canonicalize_name(line.name) == "jupyterhub"
    ]
    assert str(hub.specifier).startswith("==5.")


def test_the_hubs_lock_names_no_index_no_host_and_no_path():
    assert not re.search(
        r"://|--(index|extra|find|trusted)|@ |^-|file:|/opt/|\.whl",
        text_of("requirements.txt"),
        re.M,
    )


# --- Kubernetes ---


def keys(values, above=""):
    """The dotted names of everything that is set."""
    for name, value in values.items():
        open_ended = f"{above}{name}.…" in KNOWN
        yield from (
            keys(value, f"{above}{name}.")
            if isinstance(value, dict) and not open_ended
            else [f"{above}{name}"]
        )


def test_the_chart_knows_every_value():
    known = {name.removesuffix(".…") for name in KNOWN}
    assert [name for name in keys(VALUES) if name not in known] == []


def test_learners_have_1_gb_for_sure_and_2_gb_at_most():
    assert VALUES["singleuser"]["memory"] == {"guarantee": "1G", "limit": "2G"}


def test_images_are_there_before_learners_and_idle_ones_go():
    puller = VALUES["prePuller"]
    assert (
        puller["hook"]["enabled"]
        and puller["continuous"]["enabled"]
        and VALUES["cull"]["enabled"]
    )


def test_on_kubernetes_nobody_comes_in_without_a_teachers_leave():
    config = VALUES["hub"]["config"]
    assert config["JupyterHub"]["authenticator_class"] == "native"
    assert config["NativeAuthenticator"]["open_signup"] is False


def test_no_value_is_a_secret():
    assert [
        name
        for name in keys(VALUES)
        if re.search(r"(?i)(password|secret|token|key)$", name)
    ] == []


def test_until_there_is_a_certificate_only_the_cluster_reaches_it():
    assert (
        VALUES["proxy"]["service"]["type"] == "ClusterIP"
        and not VALUES["proxy"]["https"]["enabled"]
    )


def test_learners_read_the_shared_volume_and_cannot_write_to_it():
    storage = VALUES["singleuser"]["storage"]
    (volume,), (mount,) = storage["extraVolumes"], storage["extraVolumeMounts"]
    claim, job = SHARED
    assert volume["persistentVolumeClaim"] == {
        "claimName": claim["metadata"]["name"],
        "readOnly": True,
    }
    assert mount["readOnly"] and mount["name"] == volume["name"]
    assert (
        job["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"][
            "claimName"
        ]
        == "tlcourse-shared"
    )


def test_learners_are_given_the_same_settings_as_on_one_machine(monkeypatch):
    alone = loaded(monkeypatch).Spawner.environment
    cluster = VALUES["singleuser"]["extraEnv"]
    assert set(alone) - {"PYTHONDONTWRITEBYTECODE"} == set(cluster)
    assert all(
        isinstance(value, str) for value in cluster.values()
    )  # a number is refused when a pod starts


def test_the_image_is_one_name_everywhere():
    image = "{name}:{tag}".format(**VALUES["singleuser"]["image"])
    assert SHARED[1]["spec"]["template"]["spec"]["containers"][0]["image"] == image
    assert image in text_of("kubernetes/Dockerfile") and image.partition(":")[
        2
    ] in text_of("kubernetes/README.md")


def test_the_image_copies_what_is_there():
    sources = [
        source
        for line in re.findall(
            r"^COPY (.+)$", text_of("kubernetes/Dockerfile"), re.MULTILINE
        )
        for source in line.split()[:-1]
    ]
    ignored = text_of("kubernetes/Dockerfile.dockerignore").splitlines()
    assert len(sources) > 8 and all((ROOT / source).exists() for source in sources)
    assert [
        source
        for source in sources
        if not any(f"!{source}".startswith(line) for line in ignored)
    ] == []
