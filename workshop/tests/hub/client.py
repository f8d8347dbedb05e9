"""A learner at a hub, as a browser would be: logs in with a password, starts a server, runs the cells of a notebook."""

import json
import time
import uuid
from dataclasses import dataclass, field

import requests
import websocket


@dataclass
class Cell:
    """What came back from one cell: its text, and the error it ended with, if any."""

    source: str
    text: str = ""
    error: str = ""


@dataclass
class Learner:
    """A learner with this name and password; `hub` is the address, such as http://127.0.0.1:8000."""

    hub: str
    name: str
    password: str
    browser: requests.Session = field(default_factory=requests.Session)

    def log_in(self) -> bool:
        """Whether the hub lets them in."""
        page = self.browser.get(f"{self.hub}/hub/login")
        page.raise_for_status()
        form = {
            "username": self.name,
            "password": self.password,
            "_xsrf": self.browser.cookies.get("_xsrf"),
        }
        answer = self.browser.post(f"{self.hub}/hub/login?next=/hub/home", data=form)
        return answer.ok and answer.url.endswith("/hub/home")

    def spawn(self, seconds: float = 180) -> float:
        """Start their server and wait until it answers; the seconds it took."""
        start = time.monotonic()
        self._token = self._ask(
            "POST", f"/hub/api/users/{self.name}/tokens", json={"expires_in": 7200}
        )["token"]
        self._ask("POST", f"/hub/api/users/{self.name}/server")
        while (
            not self._ask("GET", f"/hub/api/users/{self.name}")["servers"]
            .get("", {})
            .get("ready")
        ):
            if time.monotonic() - start > seconds:
                raise TimeoutError(
                    f"The server of {self.name} did not start within {seconds:.0f} s."
                )
            time.sleep(0.2)
        self.ask("GET", "status")
        return time.monotonic() - start

    def stop(self) -> None:
        self._ask("DELETE", f"/hub/api/users/{self.name}/server")

    def ask(self, method: str, path: str, **options):
        """Ask their own server's REST API."""
        headers = {"Authorization": f"token {self._token}"}
        answer = requests.request(
            method,
            f"{self.hub}/user/{self.name}/api/{path}",
            headers=headers,
            **options,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def open(self, notebook: str) -> "Kernel":
        """A kernel for a notebook, with the notebook's folder as its own."""
        wanted = {
            "path": notebook,
            "name": notebook,
            "type": "notebook",
            "kernel": {"name": "python3"},
        }
        session = self.ask("POST", "sessions", json=wanted)
        return Kernel(self, session["id"], session["kernel"]["id"], self._token)

    def cells(self, notebook: str) -> list[str]:
        """The code cells of one of their notebooks."""
        content = self.ask("GET", f"contents/{notebook}")["content"]
        return [
            cell["source"] for cell in content["cells"] if cell["cell_type"] == "code"
        ]

    def _ask(self, method: str, path: str, **options):
        headers = {
            "X-XSRFToken": self.browser.cookies.get("_xsrf", path="/hub/") or "",
            "Referer": f"{self.hub}/hub/home",
        }
        answer = self.browser.request(
            method, f"{self.hub}{path}", headers=headers, **options
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None


class Kernel:
    """A running kernel, reached through the hub by WebSocket."""

    def __init__(self, learner: Learner, session: str, kernel: str, token: str):
        self._learner, self._session = learner, session
        address = f"{learner.hub.replace('http', 'ws', 1)}/user/{learner.name}/api/kernels/{kernel}/channels"
        self._socket = websocket.create_connection(
            address, header=[f"Authorization: token {token}"], timeout=600
        )

    def close(self) -> None:
        self._socket.close()
        self._learner.ask("DELETE", f"sessions/{self._session}")

    def run(self, source: str) -> Cell:
        """Run a cell to its end, or until the kernel dies."""
        wanted = uuid.uuid4().hex
        header = {
            "msg_id": wanted,
            "msg_type": "execute_request",
            "username": "",
            "session": wanted,
            "version": "5.3",
        }
        content = {
            "code": source,
            "silent": False,
            "store_history": True,
            "allow_stdin": False,
            "stop_on_error": True,
        }
        self._socket.send(
            json.dumps(
                {
                    "header": header,
                    "parent_header": {},
                    "metadata": {},
                    "content": content,
                    "channel": "shell",
                }
            )
        )
        cell, done = Cell(source), set()
        while done != {"reply", "idle"} and not cell.error.startswith("KernelDied"):
            self._read(_message(self._socket.recv()), wanted, cell, done)
        return cell

    @staticmethod
    def _read(message: dict, wanted: str, cell: Cell, done: set[str]) -> None:
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "status" and content["execution_state"] in ("restarting", "dead"):
            cell.error = f"KernelDied: {content['execution_state']}"
        elif message["parent_header"].get("msg_id") != wanted:
            return
        elif kind == "stream":
            cell.text += content["text"]
        elif kind in ("execute_result", "display_data"):
            cell.text += content["data"].get("text/plain", "")
        elif kind == "error":
            cell.error = f"{content['ename']}: {content['evalue']}"
        elif kind == "execute_reply":
            done.add("reply")
        elif kind == "status" and content["execution_state"] == "idle":
            done.add("idle")


def _message(received: str | bytes) -> dict:
    """A message of a kernel; one with buffers, a widget's, is bytes that begin with a count and as many places."""
    if isinstance(received, bytes):
        count = int.from_bytes(received[:4], "big")
        places = [
            int.from_bytes(received[4 * (n + 1) : 4 * (n + 2)], "big")
            for n in range(count)
        ]
        received = received[places[0] : places[1] if count > 1 else None]
    return json.loads(received)
