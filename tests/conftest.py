"""What several test modules share."""

import socket

import numpy as np
import pytest

from tlcourse.models.efficientnet_lite import SCALING


@pytest.fixture
def no_internet(monkeypatch):
    """Every try to open a connection fails at once, as on a machine without any."""

    def refuse(*arguments, **options):
        raise OSError("a test may not open a connection")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.fixture
def refusals_expected(monkeypatch):
    """For a test that tries to leave this machine on purpose: `make test NETWORK=off` lets it pass."""
    monkeypatch.setenv("TLCOURSE_OFFLINE_ON_PURPOSE", "1")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """What the tests compute and solve is neither taken from the user's own files nor put there."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLCOURSE_CACHE", str(folder))
        patch.setenv("TLCOURSE_PROGRESS", str(folder / "progress.json"))
        yield folder


@pytest.fixture
def no_packs(monkeypatch):
    monkeypatch.delenv("TLCOURSE_PACKS", raising=False)


@pytest.fixture(scope="session")
def bundled_model():
    """The bundled network that is the default; tests do not change its weights."""
    import tlcourse as tl

    return tl.load_pretrained_model()


@pytest.fixture(scope="session", params=SCALING)
def each_bundled_model(request):
    """Each of the bundled networks; tests do not change its weights."""
    import tlcourse as tl

    return tl.load_pretrained_model(request.param)


@pytest.fixture(scope="session")
def photographs():
    """Four pictures of different kinds at 224 × 224: uint8 (4, 224, 224, 3)."""
    from tlcourse.datasets import load_dataset
    from tlcourse.features.pictures import resize

    samples = load_dataset("samples").test.images
    return np.stack([resize(samples[place], (224, 224)) for place in range(4)])


@pytest.fixture(scope="session")
def small_bert_folder(tmp_path_factory):
    """A small BERT in Hugging Face's layout; tests do not change it."""
    from small_bert import write_small_bert

    return write_small_bert(tmp_path_factory.mktemp("berts") / "small")


@pytest.fixture(scope="session")
def small_bert(small_bert_folder):
    """The same, loaded; tests do not change its weights."""
    import tlcourse as tl

    return tl.load_pretrained_model(small_bert_folder)
