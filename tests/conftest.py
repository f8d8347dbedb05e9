"""What several test modules share."""

import socket

import numpy as np
import pytest


@pytest.fixture
def no_internet(monkeypatch):
    """Every try to open a connection fails at once, as on a machine without any."""

    def refuse(*arguments, **options):
        raise OSError("a test may not open a connection")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.fixture
def no_packs(monkeypatch):
    monkeypatch.delenv("TLCOURSE_PACKS", raising=False)


@pytest.fixture(scope="session")
def bundled_model():
    """The bundled network; tests do not change its weights."""
    import tlcourse as tl

    return tl.load_pretrained_model()


@pytest.fixture(scope="session")
def photographs():
    """Four pictures of different kinds at 224 × 224: uint8 (4, 224, 224, 3)."""
    from tlcourse.datasets import load_dataset
    from tlcourse.pictures import resize

    samples = load_dataset("samples").test.images
    return np.stack([resize(samples[place], (224, 224)) for place in range(4)])
