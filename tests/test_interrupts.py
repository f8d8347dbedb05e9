"""Ctrl-C while a native library is being imported: neither lost, nor does it leave the library half loaded."""

import signal

import pytest

from tlcourse.native import ctrl_c_waits


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
