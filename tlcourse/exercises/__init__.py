"""Exercises that answer back: `tl.check("4.2", answer)` says why an answer is wrong, `tl.check.hint("4.2")` helps.

A lesson's exercises are a module of their own, `lesson_04` and so on: what each asks for, three hints, and a judge.
"""

from .checking import check

__all__ = ["check"]
