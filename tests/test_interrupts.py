"""Ctrl-C while a native library is being imported: neither lost, nor does it leave the library half loaded."""

import signal
import sys
import threading
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

import pytest

from tlcourse.features import engine as engines
from tlcourse.interrupts import ctrl_c_waits


@pytest.fixture(autouse=True)
def heeded():
    """A test run in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_what_was_begun_is_finished_and_then_interrupted():
    finished = []
    with pytest.raises(KeyboardInterrupt), ctrl_c_waits():
        signal.raise_signal(signal.SIGINT)
        finished.append(True)
    assert finished == [True]


def test_ctrl_c_is_not_lost_behind_an_error():
    with pytest.raises(KeyboardInterrupt), ctrl_c_waits():
        signal.raise_signal(signal.SIGINT)
        raise ImportError


def test_where_ctrl_c_is_ignored_it_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ctrl_c_waits():
        signal.raise_signal(signal.SIGINT)
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is signal.SIG_IGN


def test_another_thread_may_use_it():
    errors = []

    def work():
        try:
            with ctrl_c_waits():
                pass
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []


def test_ctrl_c_during_onnxruntimes_import_is_not_taken_for_a_missing_one(monkeypatch):
    class Native(MetaPathFinder, Loader):
        """As pybind11's modules do: whatever happens during the import is an ImportError."""

        def find_spec(self, name, path, target=None):
            return ModuleSpec(name, self) if name == "onnxruntime" else None

        def exec_module(self, module):
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt as error:
                raise ImportError("initialization failed") from error

    real = pytest.importorskip("onnxruntime")
    monkeypatch.delitem(sys.modules, "onnxruntime")  # to be put back afterwards
    monkeypatch.setattr(sys, "meta_path", [Native(), *sys.meta_path])
    engines.has_onnxruntime.cache_clear()
    with pytest.raises(KeyboardInterrupt):
        engines.has_onnxruntime()
    monkeypatch.undo()
    assert engines.has_onnxruntime() and sys.modules["onnxruntime"] is real
