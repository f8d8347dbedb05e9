"""A hub for one class on one machine; its settings are in /etc/tlcourse-hub.env."""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821, JupyterHub defines it
HERE = Path(__file__).resolve().parent
SHARED = Path("/srv/tlcourse")  # what all learners read and nobody of them writes
STATE = Path("/var/lib/tlcourse-hub")  # for root alone: secrets, and who has a server

# --- Who may come in: accounts of this machine in the group `tlcourse`, with the
# passwords that they have there.

c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.service = "tlcourse-hub"
# A session would bring services that no limit below holds.
c.PAMAuthenticator.open_sessions = False
c.PAMAuthenticator.allowed_groups = {"tlcourse"}
c.PAMAuthenticator.admin_groups = {"tlcourse-teachers"}
c.Authenticator.allow_all = False
c.LocalAuthenticator.create_system_users = False

# --- What a learner gets: a service of systemd, run as their own user.

c.JupyterHub.spawner_class = "systemd"
c.Spawner.mem_limit = os.environ.get("TLCOURSE_HUB_MEMORY", "2G")
c.Spawner.cpu_limit = float(os.environ.get("TLCOURSE_HUB_CPUS", "2"))
c.SystemdSpawner.slice = "tlcourse.slice"  # systemctl status shows the whole class
c.SystemdSpawner.default_shell = "/bin/bash"
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.isolate_devices = True
c.SystemdSpawner.disable_user_sudo = True
c.SystemdSpawner.unit_extra_properties = {
    "MemorySwapMax": "0",  # swapping would slow everybody down
    "TasksMax": "512",
    "ProtectProc": "invisible",  # others' processes and their command lines
    "ProtectSystem": "full",
    "UMask": "0077",
}
c.Spawner.cmd = [str(HERE / "start-learner.sh")]
# Every account here could listen to a kernel over TCP; a socket in a folder is its
# owner's alone.
c.Spawner.args = ["--KernelManager.transport=ipc"]
c.Spawner.default_url = "/lab/tree/lessons/00_start.ipynb"
c.Spawner.start_timeout = 180  # thirty at once, on few cores
c.Spawner.http_timeout = 180
c.Spawner.environment = {
    "TLCOURSE_LESSONS": str(SHARED / "lessons"),
    "TLCOURSE_PACKS": str(SHARED / "packs"),
    "TLCOURSE_SHARED_CACHE": str(SHARED / "cache"),
    "TLCOURSE_CACHE_GB": "1",
    "KERAS_HOME": str(SHARED / "keras"),
    "PYTHONDONTWRITEBYTECODE": "1",
    # More threads than the limit has cores would wait for one another.
    **dict.fromkeys(
        [
            "TF_NUM_INTRAOP_THREADS",
            "TF_NUM_INTEROP_THREADS",
            "OMP_NUM_THREADS",
            "MALLOC_ARENA_MAX",
        ],
        "2",
    ),
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
c.JupyterHub.allow_named_servers = False
c.JupyterHub.concurrent_spawn_limit = 10

# --- Where it listens. Without a certificate only on this machine: passwords do not
# cross a network in the clear.

c.JupyterHub.ssl_key = os.environ.get("TLCOURSE_HUB_KEY", "")
c.JupyterHub.ssl_cert = os.environ.get("TLCOURSE_HUB_CERTIFICATE", "")
with_tls = bool(c.JupyterHub.ssl_key and c.JupyterHub.ssl_cert)
port = os.environ.get("TLCOURSE_HUB_PORT") or ("443" if with_tls else "8000")
c.JupyterHub.bind_url = f"https://:{port}" if with_tls else f"http://127.0.0.1:{port}"
c.JupyterHub.hub_ip = "127.0.0.1"
PROXY = SHARED / "node" / "node_modules" / "configurable-http-proxy"
PROXY = PROXY / "bin" / "configurable-http-proxy"
c.ConfigurableHTTPProxy.command = ["node", str(PROXY)]

# --- Secrets: made by install.sh. The proxy's token comes as CONFIGPROXY_AUTH_TOKEN.

c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
c.JupyterHub.db_url = f"sqlite:///{STATE / 'hub.sqlite'}"

# --- A restarted hub finds its learners again; a server that was idle for an hour ends.

c.JupyterHub.cleanup_servers = False
c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"],
    }
]
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": [
            "list:users",
            "read:users:activity",
            "read:servers",
            "delete:servers",
        ],
        "services": ["idle-culler"],
    }
]
