"""Seconds and memory are those of this process."""

import subprocess
import sys

import pytest

from tlcourse.progress import measured


def in_a_fresh_process(code):
    """The number that this code prints. (This process may have held more memory before than a test can take.)"""
    return float(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
    )


def test_peak_memory_grows_by_the_memory_that_is_taken():
    grown = in_a_fresh_process(
        "from tlcourse.progress import peak_megabytes as peak; before = peak(); taken = b'x' * 200_000_000; "
        "print(peak() - before)"
    )
    assert grown == pytest.approx(200, abs=20)


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux hands a parent's peak on"
)
def test_peak_memory_does_not_count_the_program_that_started_this_one():
    child = "from tlcourse.progress import peak_megabytes; print(peak_megabytes())"
    of_the_child = in_a_fresh_process(
        f"import subprocess, sys; taken = b'x' * 300_000_000; subprocess.run([sys.executable, '-c', {child!r}])"
    )
    assert of_the_child < 200


def test_a_block_that_raises_is_measured_too():
    with pytest.raises(ZeroDivisionError), measured() as took:
        raise ZeroDivisionError
    assert took.seconds >= 0 and took.peak_megabytes > 0
