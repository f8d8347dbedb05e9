"""An extension of Jupyter's server, which installing the course switches on.

Jupyter's server closes the connection on messages of more than 10 MB, without a word,
and JupyterLab shows an error where a widget was whose kernel has ended. With this
extension large uploads arrive, and a saved notebook has the widget's picture. "Run All"
does not run the solutions of lessons.
"""

import os
from typing import Any

# Kernels read these, see `widgets.uploads` and `exercises.solutions`.
UPLOAD, SOLUTIONS = "TLCOURSE_UPLOAD_MB", "TLCOURSE_SOLUTIONS"
MEGABYTES = 100  # of a file that a widget takes
MESSAGE = 10**9  # bytes; larger files than a widget takes have to arrive to be refused
VIEW = "application/vnd.jupyter.widget-view+json"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "tlcourse.server"}]


def _load_jupyter_server_extension(server: Any) -> None:
    settings = server.web_app.settings
    own = settings.get("websocket_max_message_size") or 0
    settings["websocket_max_message_size"] = max(own, MESSAGE)
    server.contents_manager.register_pre_save_hook(without_views)
    os.environ[UPLOAD] = str(MEGABYTES)
    os.environ.setdefault(SOLUTIONS, "twice")


def view_of(widget: Any) -> dict[str, dict]:
    """The entry of a MIME bundle that shows a widget."""
    return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}


def without_views(model: dict, **_: Any) -> None:
    """Leave what stands beside a widget's view: its picture, or its text.

    `model` is what Jupyter's contents manager is about to save. A notebook that is
    saved with the state of its widgets keeps them.
    """
    content = model.get("content")
    if model.get("type") != "notebook" or not content:
        return
    if "widgets" in content.get("metadata", {}):
        return
    for cell in content.get("cells", ()):
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if data.keys() & {"image/png", "text/html"}:  # ours have one of them
                data.pop(VIEW, None)
