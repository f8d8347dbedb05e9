"""Lessons read measured results by name."""

import json
from pathlib import Path

import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results.json"


def test_lessons_read_measured_results_by_name():
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert tl.results() == results
    ratios = results["bench"]["arrays"]["ratios"]
    assert tl.results("bench.arrays.ratios") == ratios


@pytest.mark.parametrize(
    "name", ["bench.aroys", "solar.nothing.at.all", "import.imports.more"]
)
def test_a_result_that_was_not_measured_is_answered_with_what_there_is(name):
    with pytest.raises(UserInputError, match="no measured result .* among "):
        tl.results(name)
