"""A file that a browser has sent: read whatever the version of ipywidgets, and forgotten at once."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets


def content_of(value: "Any") -> tuple[str, bytes] | None:
    """Name and bytes of the file in a FileUpload's `value`; None where there is none.

    ipywidgets 8 gives a tuple of dictionaries, ipywidgets 7 (Colab) a dictionary by name.
    """
    if not value:
        return None
    if isinstance(value, dict):
        name, file = next(iter(value.items()))
    else:
        file = value[0]
        name = file["name"]
    return name, bytes(file["content"])


def forget(upload: "ipywidgets.FileUpload") -> None:
    """Empty a FileUpload, here and in the browser: what it holds is part of what a notebook could save."""
    if isinstance(upload.value, dict):
        upload.metadata, upload.data = [], []
        upload._counter = 0
    else:
        upload.value = ()
