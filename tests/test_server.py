"""The extension of Jupyter's server: large messages, and what is saved of a widget."""

import os
from types import SimpleNamespace

import pytest

from tlcourse import server

PICTURE = {"image/png": "iVBORw0", "text/plain": "a dog", server.VIEW: {"model_id": 1}}


def saved(data, metadata=None, kind="notebook"):
    """What is left of an output's data in a notebook that is saved."""
    cells = [
        {"cell_type": "markdown", "source": "# A lesson"},
        {"cell_type": "code", "outputs": [{"name": "stdout"}, {"data": dict(data)}]},
    ]
    content = {"cells": cells, "metadata": metadata or {}}
    server.without_views(model={"type": kind, "content": content}, path="a.ipynb")
    return cells[1]["outputs"][1]["data"]


def test_a_widget_is_saved_as_the_picture_beside_it():
    assert saved(PICTURE) == {"image/png": "iVBORw0", "text/plain": "a dog"}


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (PICTURE, {"metadata": {"widgets": {"state": {}}}}),  # its state is saved, too
        ({server.VIEW: {"model_id": 1}}, {}),  # nothing stands beside it
        ({"image/png": "iVBORw0"}, {}),
        (PICTURE, {"kind": "file"}),
    ],
)
def test_what_is_no_dead_widget_is_saved_as_it_is(data, options):
    assert saved(data, **options) == data


@pytest.mark.parametrize("content", [None, "text of a file", {}])
def test_a_file_without_cells_is_saved_as_it_is(content):
    model = {"type": "notebook", "content": content}
    if isinstance(content, str):
        model["type"] = "file"
    server.without_views(model=model, path="a")
    assert model["content"] == content


def test_large_messages_arrive_and_kernels_know_how_large_a_file_may_be(monkeypatch):
    monkeypatch.setenv(server.UPLOAD, "10")
    monkeypatch.setenv(server.SOLUTIONS, "once")
    hooks, settings = [], {}
    contents = SimpleNamespace(register_pre_save_hook=hooks.append)
    application = SimpleNamespace(settings=settings)
    server._load_jupyter_server_extension(
        SimpleNamespace(web_app=application, contents_manager=contents)
    )
    assert settings["websocket_max_message_size"] > 1e6 * server.MEGABYTES
    assert hooks == [server.without_views]
    assert os.environ[server.UPLOAD] == str(server.MEGABYTES)
    assert os.environ[server.SOLUTIONS] == "once"  # who has chosen keeps it
