"""What workshop/hub promises, as far as files show; hub/test_a_class.py starts it."""

import importlib.util
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import needs_root
import pytest
import yaml

from workshop.wheels import PYTHONS, Target, read_lock

ROOT = Path(__file__).resolve().parents[2]
HUB = ROOT / "workshop" / "hub"
SCRIPTS = sorted(HUB.glob("*.sh"))
LOCK = HUB / "requirements.txt"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the hub is for Linux")


def text_of(name):
    return (HUB / name).read_text(encoding="utf-8")


VALUES = yaml.safe_load(text_of("kubernetes/values.yaml"))
SHARED = list(yaml.safe_load_all(text_of("kubernetes/shared.yaml")))

# The keys of the chart's configuration reference (z2jh.jupyter.org) that values.yaml
# uses. The chart refuses keys that it does not know; below "…" anything goes.
KNOWN = """
hub.config.… hub.allowNamedServers hub.concurrentSpawnLimit hub.networkPolicy.enabled
proxy.service.type proxy.https.enabled proxy.chp.networkPolicy.enabled
singleuser.image.name singleuser.image.tag singleuser.cmd singleuser.defaultUrl
singleuser.startTimeout singleuser.uid singleuser.fsGid
singleuser.memory.guarantee singleuser.memory.limit
singleuser.cpu.guarantee singleuser.cpu.limit
singleuser.networkPolicy.enabled singleuser.networkPolicy.egress
singleuser.networkPolicy.egressAllowRules.cloudMetadataServer
singleuser.networkPolicy.egressAllowRules.privateIPs
singleuser.networkPolicy.egressAllowRules.nonPrivateIPs
singleuser.cloudMetadata.blockWithIptables singleuser.cloudMetadata.ip
singleuser.storage.type singleuser.storage.homeMountPath singleuser.storage.capacity
singleuser.storage.extraVolumes singleuser.storage.extraVolumeMounts
singleuser.extraEnv.… scheduling.userScheduler.enabled
prePuller.hook.enabled prePuller.continuous.enabled
cull.enabled cull.timeout cull.every
""".split()


@pytest.fixture
def configured(monkeypatch):
    """The hub's configuration, read by traitlets as JupyterHub reads it."""
    from traitlets.config import PyFileConfigLoader

    def load(**environment):
        for name in ("MEMORY", "CPUS", "KEY", "CERTIFICATE", "PORT"):
            monkeypatch.delenv(f"TLCOURSE_HUB_{name}", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return PyFileConfigLoader(str(HUB / "jupyterhub_config.py")).load_config()

    return load


# One machine


def test_the_limits_are_those_of_the_settings_file(configured):
    spawner = configured().Spawner
    settings = dict(re.findall(r"(?m)^(TLCOURSE_HUB_\w+)=(\S+)", text_of("hub.env")))
    assert settings == {
        "TLCOURSE_HUB_MEMORY": spawner.mem_limit,
        "TLCOURSE_HUB_CPUS": f"{spawner.cpu_limit:g}",
    }


@pytest.mark.parametrize(
    ("files", "address"),
    [
        ([], "http://127.0.0.1:8000"),
        (["KEY"], "http://127.0.0.1:8000"),
        (["CERTIFICATE"], "http://127.0.0.1:8000"),
        (["KEY", "CERTIFICATE"], "https://:443"),
    ],
)
def test_without_a_certificate_it_listens_on_this_machine_only(
    configured, files, address
):
    variables = {f"TLCOURSE_HUB_{name}": f"/etc/{name}.pem" for name in files}
    assert configured(**variables).JupyterHub.bind_url == address


def test_only_accounts_of_the_course_come_in_and_nobody_signs_up(configured):
    c = configured()
    assert c.JupyterHub.authenticator_class == "pam"
    assert c.Authenticator.allow_all is False
    assert c.PAMAuthenticator.allowed_groups == {"tlcourse"}
    assert not c.LocalAuthenticator.create_system_users


def test_each_learner_is_a_service_of_their_own(configured):
    c = configured()
    assert c.JupyterHub.spawner_class == "systemd"
    assert not c.JupyterHub.allow_named_servers
    assert c.SystemdSpawner.isolate_tmp and c.SystemdSpawner.isolate_devices
    assert c.SystemdSpawner.disable_user_sudo


def test_jupyterhub_knows_every_setting(configured):
    """A misspelt setting is silently nothing."""
    for package in ("jupyterhub", "systemdspawner"):
        pytest.importorskip(package, reason=f"uv pip install -r {LOCK}")
    from jupyterhub.app import JupyterHub
    from jupyterhub.auth import Authenticator, LocalAuthenticator, PAMAuthenticator
    from jupyterhub.proxy import ConfigurableHTTPProxy
    from jupyterhub.spawner import Spawner
    from systemdspawner import SystemdSpawner

    kinds = (JupyterHub, Authenticator, LocalAuthenticator, PAMAuthenticator)
    kinds += (ConfigurableHTTPProxy, Spawner, SystemdSpawner)
    known = {kind.__name__: kind.class_traits(config=True) for kind in kinds}
    chosen = configured().items()
    assert all(name in known[kind] for kind, options in chosen for name in options)


def test_no_file_has_a_secret_in_it():
    telling = re.compile(
        r"""(?i)\w*(token|secret|password)["']?\]?\s*[=:]\s*["'][^"'$]+["']"""
        r"|[0-9a-f]{32}"
    )
    locks = ("requirements.txt", "package-lock.json")
    files = [path for path in HUB.rglob("*") if path.is_file()]
    files = [path for path in files if path.name not in locks and path.suffix != ".pyc"]
    texts = [path.read_text(encoding="utf-8") for path in files]
    assert len(texts) > 10 and not any(map(telling.search, texts))


def test_lessons_are_copied_and_never_over_answers(tmp_path):
    """start-learner.sh is run with a stand-in for the server."""
    course, home, given = (tmp_path / name for name in ("cou rse", "ho me", "giv en"))
    script = course / "workshop" / "hub" / "start-learner.sh"
    server = course / ".venv" / "bin" / "jupyterhub-singleuser"
    for path in (script, server, given / "cards" / "x", home / "lessons" / "x"):
        path.parent.mkdir(parents=True)
    shutil.copy(HUB / "start-learner.sh", script)
    server.write_text("#!/bin/sh\necho started $*\n")
    server.chmod(0o755)
    (given / "00.ipynb").write_text("new")
    (given / "cards" / "00.html").write_text("card")
    (home / "lessons" / "00.ipynb").write_text("an answer")
    environment = {**os.environ, "HOME": str(home), "TLCOURSE_LESSONS": str(given)}
    for _ in range(2):
        done = run([script, "--port=1"], env=environment)
    assert done.stdout == "started --port=1\n" and done.stderr == ""
    assert (home / "lessons" / "00.ipynb").read_text() == "an answer"
    assert (home / "lessons" / "cards" / "00.html").read_text() == "card"
    assert (home / "as-handed-out" / "00.ipynb").read_text() == "new"


def run(command, check=True, **options):
    command = list(map(str, command))
    return subprocess.run(
        command, check=check, capture_output=True, text=True, **options
    )


@pytest.mark.parametrize("path", [*SCRIPTS, HUB / "accounts.py"], ids=lambda p: p.name)
def test_scripts_can_be_run(path):
    assert text_of(path.name).startswith("#!") and os.access(path, os.X_OK)
    if path.suffix == ".sh":
        run(["bash", "-n", path])


def test_the_readme_names_scripts_that_are_there():
    pattern = r"(?:workshop/hub/|\./)(\w[\w-]*\.(?:sh|py))"
    named = set(re.findall(pattern, text_of("README.md")))
    assert {"install.sh", "accounts.py", "uninstall.sh", "warm.sh"} <= named
    assert all((HUB / name).is_file() for name in named)


# Accounts


@pytest.fixture
def accounts():
    spec = importlib.util.spec_from_file_location("accounts", HUB / "accounts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_passwords_are_long_and_never_the_same(accounts):
    passwords = {accounts.new_password() for _ in range(100)}
    pattern = re.compile(r"([a-km-z2-9]{4}-){3}[a-km-z2-9]{4}")
    assert len(passwords) == 100 and all(map(pattern.fullmatch, passwords))


NO_NAMES = ("Ada", "ada lovelace", "root;reboot", "-ada", "a", "../ada", "1ada", "a:x")


@pytest.mark.parametrize("line", [*NO_NAMES, "bob, another Bob"])
def test_a_class_list_with_a_wrong_name_makes_no_account(accounts, tmp_path, line):
    (tmp_path / "class.txt").write_text(f"bob\n{line}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="No account was made"):
        accounts.read_list(tmp_path / "class.txt")


def test_comments_and_full_names_are_left_alone(accounts, tmp_path):
    text = "# a class\nada, Ada Lovelace\n\nbob\n"
    (tmp_path / "class.txt").write_text(text, encoding="utf-8")
    assert accounts.read_list(tmp_path / "class.txt") == ["ada", "bob"]


@pytest.fixture
def fake(accounts, monkeypatch, tmp_path):
    """accounts.py on a machine that does not exist.

    `users` are its accounts, `busy` those that userdel refuses, `removed` those that
    it was asked to remove, and `create` is what making an account leaves.
    """
    users, removed, busy = {}, [], []

    def getpwnam(name):
        uid, home = users[name]
        return SimpleNamespace(pw_name=name, pw_uid=uid, pw_dir=str(home))

    def userdel(command, **_):
        assert command[:2] == ["userdel", "--remove"]
        if command[2] in busy:
            return subprocess.CompletedProcess(command, 8, "", "is currently used")
        removed.append(command[2])
        return subprocess.CompletedProcess(command, 0, "", "")

    def create(name, uid=None):
        (tmp_path / name).mkdir()
        users[name] = os.getuid() if uid is None else uid, tmp_path / name
        accounts.record(name)

    group = SimpleNamespace(getgrnam=lambda _: SimpleNamespace(gr_mem=list(users)))
    monkeypatch.setattr(accounts, "MADE", tmp_path / "state" / "accounts")
    monkeypatch.setattr(accounts.pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(accounts, "grp", group)
    monkeypatch.setattr(accounts.subprocess, "run", userdel)
    # The homes of this fixture belong to whoever runs the tests.
    monkeypatch.setattr(accounts, "FIRST_UID", min(1000, os.getuid()))
    return SimpleNamespace(
        module=accounts,
        users=users,
        removed=removed,
        busy=busy,
        create=create,
        folder=tmp_path,
    )


def test_only_accounts_that_the_hub_made_are_removed(fake, capsys):
    """Somebody whom a teacher added to the group by hand keeps account and home."""
    fake.create("ada")
    fake.users["teacher"] = os.getuid(), fake.folder
    fake.module.remove_all()
    assert fake.removed == ["ada"] and "left teacher" in capsys.readouterr().out


def made_again(fake):
    fake.users["ada"] = os.getuid() + 1, fake.folder / "ada"


def of_the_system(fake):
    fake.module.FIRST_UID = os.getuid() + 1


def with_a_link_as_home(fake):
    (fake.folder / "ada").rename(fake.folder / "elsewhere")
    (fake.folder / "ada").symlink_to(fake.folder / "elsewhere")


def with_another_home(fake):
    fake.users["ada"] = os.getuid(), Path("/")


def with_a_home_of_another_owner(fake):
    uid = os.getuid() + 1
    fake.users["ada"] = uid, fake.folder / "ada"
    fake.module.MADE.write_text(f"ada:{uid}:{fake.folder / 'ada'}\n")


@pytest.mark.parametrize(
    "change",
    [
        made_again,
        of_the_system,
        with_a_link_as_home,
        with_another_home,
        with_a_home_of_another_owner,
    ],
)
def test_an_account_that_is_another_now_is_not_removed(fake, capsys, change):
    fake.create("ada")
    change(fake)
    fake.module.remove_all()
    assert fake.removed == [] and "left ada" in capsys.readouterr().out


def test_accounts_are_removed_where_the_group_is_gone(fake):
    fake.create("ada")
    fake.module.grp.getgrnam = {}.__getitem__  # raises KeyError, as the real one
    fake.module.remove_all()
    assert fake.removed == ["ada"]


def test_an_account_that_is_busy_can_be_removed_later(fake):
    fake.create("ada")
    fake.create("bob")
    fake.busy.append("ada")
    with pytest.raises(SystemExit, match="ada"):
        fake.module.remove_all()
    assert fake.removed == ["bob"]
    del fake.users["bob"]
    fake.busy.clear()
    fake.module.remove_all()
    assert fake.removed == ["bob", "ada"]


def test_the_record_of_accounts_is_private_and_follows_no_link(fake):
    fake.create("ada")
    record = fake.module.MADE
    modes = [path.stat().st_mode & 0o777 for path in (record, record.parent)]
    assert modes == [0o600, 0o700]
    record.unlink()
    record.symlink_to(fake.folder / "shadow")
    with pytest.raises(OSError):
        fake.module.record("ada")


STAND_INS = """
id() { if [ "$*" = -u ]; then echo 0; fi; }  # root, and every account exists
systemctl() { echo systemctl $* >> "$LOG"; }
groupdel() { echo groupdel $* >> "$LOG"; return 6; }  # no such group
userdel() { echo userdel $* >> "$LOG"; return 8; }  # the account has processes
ip() { :; }
export -f id systemctl groupdel userdel ip
"""


@pytest.mark.parametrize("record", ["", "ada:1:/home/ada\n", "half a li"])
def test_uninstalling_goes_on_to_its_end(tmp_path, record):
    """The group is gone, tlcourse-warm is busy; uninstall.sh works below a folder."""
    for name in ("uninstall.sh", "accounts.py", "metadata.sh"):
        text = re.sub(r"/(etc|srv|var)/", rf"{tmp_path}/\1/", text_of(name))
        text = text.replace('"tlcourse"', '"no-such-group"')
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    state = tmp_path / "var/lib/tlcourse-hub/accounts"
    ssh = tmp_path / "etc/ssh/sshd_config.d/tlcourse-hub.conf"
    others = [tmp_path / "srv/tlcourse/lesson", tmp_path / "etc/pam.d/tlcourse-hub"]
    for path in (state, ssh, *others):
        path.parent.mkdir(parents=True)
        path.write_text(record)
    log = tmp_path / "log"
    script = f"{STAND_INS}{tmp_path}/uninstall.sh --accounts"
    environment = {**os.environ, "LOG": str(log)}
    done = run(["bash", "-c", script], check=False, env=environment)
    last = ["userdel tlcourse-warm", "systemctl daemon-reload"]
    assert log.read_text().splitlines()[-2:] == last, done.stderr
    assert not any(path.exists() for path in others)
    # Where an account may be left, so are its record and what keeps it from ssh.
    is_damaged = record == "half a li"
    assert state.exists() == ssh.exists() == (done.returncode != 0) == is_damaged


def test_collected_answers_are_readable_for_root_alone(tmp_path):
    """The README's command, over an archive of an earlier time."""
    (command,) = re.findall(r"\| `([^`]*tar -czf [^`]*)` \|", text_of("README.md"))
    homes, archive = tmp_path / "homes", tmp_path / "answers.tar.gz"
    homes.mkdir()
    archive.write_text("of last year")
    archive.chmod(0o644)
    command = command.replace("/home", "homes")
    run(["sh", "-c", f"umask 022; {command}"], cwd=tmp_path)
    assert archive.stat().st_mode & 0o777 == 0o600


def test_every_archive_of_homes_that_is_recommended_is_private():
    pages = [*HUB.rglob("*.md"), ROOT / "docs" / "instructors.md"]
    lines = [line for page in pages for line in page.read_text("utf-8").splitlines()]
    archiving = [line for line in lines if "/home" in line and "tar -c" in line]
    assert archiving and all("umask 077" in line for line in archiving)


# The cloud's metadata: a stand-in at its address, in network namespaces for the test

CLOUD = """
set -e
ip link set lo up
unshare -n sleep 60 & cloud=$!
trap 'kill $cloud' EXIT
same() { [ "$(readlink /proc/$cloud/ns/net)" = "$(readlink /proc/self/ns/net)" ]; }
while same; do sleep 0.05; done
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
    family = socket.AF_INET6 if ":" in os.environ["GATEWAY"] else socket.AF_INET
    server = socket.create_server(("", 80), family=family)
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
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


@pytest.fixture
def in_own_network():
    """Runs a shell script as root in a network namespace of its own; its output."""
    if os.geteuid() != 0:
        needs_root.skip("a network namespace takes root")
    programs = ("ip", "unshare", "nsenter")
    missing = [name for name in programs if not shutil.which(name, path=PATH)]
    if missing:
        needs_root.skip(f"not here: {', '.join(missing)}")

    def call(script, **variables):
        environment = {**os.environ, "PATH": PATH, "HUB": str(HUB), **variables}
        command = ["unshare", "-n", "bash", "-ec", script]
        done = run(command, check=False, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    rules = "for n in 4 6; do ip -$n rule add uidrange 1-2 ipproto tcp prohibit; done"
    try:
        call(f"ip link add here type veth; {rules}")
    except AssertionError as error:
        needs_root.skip(f"no network namespace, or no routing by user here: {error}")
    return call


@pytest.mark.parametrize("family", [IPV4, IPV6], ids=["IPv4", "IPv6"])
def test_learners_do_not_reach_the_clouds_metadata(in_own_network, tmp_path, family):
    """Root and system accounts do, and everybody reaches other addresses."""
    knock = tmp_path / "knock.py"
    knock.write_text(KNOCK, encoding="utf-8")
    prefix = "/64" if family is IPV6 else "/24"
    elsewhere, on_link = family["elsewhere"], "fe80::a9fe:a9fe"
    # An address of the link needs its prefix for a route, and the name of the link.
    given = [*family["metadata"], elsewhere]
    addresses = " ".join([family["gateway"] + prefix, *given])
    metadata = [f"{one}%here" if one == on_link else one for one in family["metadata"]]
    printed = in_own_network(
        CLOUD,
        KNOCK=str(knock),
        PYTHON=sys.executable,
        ADDRESSES=addresses.replace(on_link, f"{on_link}/64"),
        KNOCK_AT=" ".join([*metadata, elsewhere]),
        HERE=family["here"],
        GATEWAY=family["gateway"],
        NODAD="nodad" if family is IPV6 else "",
    )
    before, blocked, allowed = map(json.loads, printed.splitlines())
    users = (0, 999, 1000, 65534)
    everything = [[user, one] for user in users for one in [*metadata, elsewhere]]
    assert before == allowed == everything
    unreached = [one for one in everything if one not in blocked]
    assert unreached == [[user, one] for user in (1000, 65534) for one in metadata]


# An administrator's own rules of the same preference.
OWN = "for n in 4 6; do ip -$n rule add preference 100 fwmark 7 lookup 77; done\n"
RULES = "ip -4 rule; ip -6 rule; echo --\n"
BLOCK, ALLOW = '"$HUB"/metadata.sh block\n', '"$HUB"/metadata.sh allow\n'


def test_an_administrators_rules_of_the_same_preference_stay(in_own_network):
    printed = in_own_network(f"{OWN}{RULES}{BLOCK}{RULES}{ALLOW}{RULES}")
    before, blocked, allowed = printed.split("--\n")[:3]
    assert before == allowed != blocked
    assert before.count("fwmark 0x7") == blocked.count("fwmark 0x7") == 2


def test_blocking_again_leaves_no_moment_without_a_rule(in_own_network):
    """A rule that is made again stands behind those made in between."""
    printed = in_own_network(f"{BLOCK}{OWN}{RULES}{BLOCK}{RULES}")
    before, after, _ = printed.split("--\n")
    assert after == before and "prohibit" in before


def test_a_rule_that_is_missing_is_added_again(in_own_network):
    lost = "ip -4 rule del to 192.0.0.192\n"
    printed = in_own_network(f"{BLOCK}{RULES}{lost}{BLOCK}{RULES}")
    before, after, _ = (sorted(part.splitlines()) for part in printed.split("--\n"))
    assert after == before and any("192.0.0.192" in line for line in after)


def test_nothing_but_uninstalling_lifts_the_block():
    service = text_of("tlcourse-metadata.service")
    assert "ExecStop" not in service
    assert re.search(r"(?m)^ExecReload=.* block$", service)
    lifting = [path.name for path in SCRIPTS if '" allow' in text_of(path.name)]
    assert lifting == ["uninstall.sh"]
    restarts = re.findall(r"systemctl (\S+) tlcourse-metadata", text_of("install.sh"))
    assert restarts == ["reload-or-restart"]


def test_the_hub_starts_only_where_the_metadata_is_blocked_at_each_boot():
    hub, block = text_of("tlcourse-hub.service"), text_of("tlcourse-metadata.service")
    assert re.search(r"(?m)^After=.*tlcourse-metadata\.service", hub)
    assert "Requires=tlcourse-metadata.service" in hub and "metadata.sh block" in block
    assert "WantedBy=multi-user.target" in block
    assert "systemctl enable --quiet tlcourse-metadata" in text_of("install.sh")


# The packages


def test_root_neither_resolves_npm_packages_nor_runs_their_scripts():
    script = text_of("install.sh").replace("\\\n", "")
    commands = [line for line in script.splitlines() if " npm " in line]
    running = [line for line in commands if not re.match(r"#|command", line.strip())]
    (command,) = [line for line in running if "needed" not in line]
    assert "runuser -u tlcourse-warm" in command
    assert "npm ci --ignore-scripts" in command
    lock = json.loads(text_of("proxy/package-lock.json"))["packages"]
    packages = [package for place, package in lock.items() if place]
    assert len(packages) > 20 and "configurable-http-proxy" in text_of(
        "proxy/package.json"
    )
    for package in packages:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"])
        assert "resolved" not in package and "hasInstallScript" not in package


@pytest.mark.parametrize("python", PYTHONS)
def test_the_hub_changes_no_version_that_a_learner_has(python):
    """Where this fails: the command in requirements.in."""
    target = Target("linux", python)
    course, hub = (
        {one.requirement.name: one.version for one in lock if target.needs(one)}
        for lock in map(read_lock, (ROOT / "requirements.txt", LOCK))
    )
    common = set(course) & set(hub)
    assert common
    assert {name: hub[name] for name in common if course[name] != hub[name]} == {}


def test_the_hub_is_jupyterhub_5_with_a_version_and_hash_for_everything():
    text, lock = text_of("requirements.txt"), read_lock(LOCK)
    assert len(lock) == len(re.findall(r"(?m)^[\w.-]+[\[=]", text))
    assert all(locked.hashes for locked in lock)
    versions = {locked.requirement.name: locked.version for locked in lock}
    assert versions["jupyterhub"].startswith("5.")
    unwanted = r"(?m)://|--(index|extra|find|trusted)|@ |^-|file:|/opt/|\.whl"
    assert not re.search(unwanted, text)


# Kubernetes


def keys(values, above=""):
    """The dotted names of everything that is set."""
    for name, value in values.items():
        if isinstance(value, dict) and f"{above}{name}.…" not in KNOWN:
            yield from keys(value, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def test_the_chart_knows_every_value_and_none_is_a_secret():
    known = {name.removesuffix(".…") for name in KNOWN}
    secret = re.compile(r"(?i)(password|secret|token|key)$")
    assert [name for name in keys(VALUES) if name not in known] == []
    assert not any(map(secret.search, keys(VALUES)))


def test_on_kubernetes_learners_reach_neither_the_metadata_nor_private_addresses():
    policy = VALUES["singleuser"]["networkPolicy"]
    ((rule,),) = (one["to"] for one in policy["egress"])
    assert policy["enabled"] and not any(policy["egressAllowRules"].values())
    blocked = [ipaddress.ip_network(cidr) for cidr in rule["ipBlock"]["except"]]
    for address in ("169.254.169.254", "168.63.129.16", "10.1.2.3", "192.168.1.1"):
        assert any(ipaddress.ip_address(address) in network for network in blocked)


def test_on_kubernetes_nobody_comes_in_unasked_nor_from_outside():
    config, proxy = VALUES["hub"]["config"], VALUES["proxy"]
    assert config["JupyterHub"]["authenticator_class"] == "native"
    assert config["NativeAuthenticator"]["open_signup"] is False
    assert proxy["service"]["type"] == "ClusterIP" and not proxy["https"]["enabled"]


def test_on_kubernetes_learners_have_limits_and_idle_ones_go():
    memory = VALUES["singleuser"]["memory"]
    assert memory == {"guarantee": "1G", "limit": "2G"}
    puller = VALUES["prePuller"]
    assert puller["hook"]["enabled"] and puller["continuous"]["enabled"]
    assert VALUES["cull"]["enabled"]


def test_learners_read_the_shared_volume_and_cannot_write_to_it():
    storage = VALUES["singleuser"]["storage"]
    (volume,), (mount,) = storage["extraVolumes"], storage["extraVolumeMounts"]
    claim, job = SHARED
    name = claim["metadata"]["name"]
    assert volume["persistentVolumeClaim"] == {"claimName": name, "readOnly": True}
    assert mount["readOnly"] and mount["name"] == volume["name"]
    (filled,) = job["spec"]["template"]["spec"]["volumes"]
    assert filled["persistentVolumeClaim"]["claimName"] == name


def test_learners_have_the_same_settings_as_on_one_machine(configured):
    alone = configured().Spawner.environment
    cluster = VALUES["singleuser"]["extraEnv"]
    assert set(alone) - {"PYTHONDONTWRITEBYTECODE"} == set(cluster)
    assert all(isinstance(value, str) for value in cluster.values())


def test_the_image_has_one_name_and_copies_what_is_there():
    image = "{name}:{tag}".format(**VALUES["singleuser"]["image"])
    (container,) = SHARED[1]["spec"]["template"]["spec"]["containers"]
    dockerfile = text_of("kubernetes/Dockerfile")
    assert container["image"] == image and image in dockerfile
    copied = re.findall(r"(?m)^COPY (.+) \S+$", dockerfile)
    sources = [source for line in copied for source in line.split()]
    kept = text_of("kubernetes/Dockerfile.dockerignore").splitlines()
    assert len(sources) > 8
    for source in sources:
        assert (ROOT / source).exists()
        assert any(f"!{source}".startswith(line) for line in kept)
