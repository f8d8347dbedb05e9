"""What tests of exercises share: ask the check, and compare what it says."""

from tlcourse.exercises.checking import Check


def check(*arguments):
    return Check()(*arguments)


def assert_right(verdict, *words):
    assert verdict.state == "right", verdict
    assert all(word in verdict.reason for word in words), verdict


def assert_wrong(verdict, words):
    assert verdict.state == "not yet" and words in verdict.reason, verdict
