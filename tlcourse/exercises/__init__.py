"""Exercises: `tl.check("4.2", answer)` says why an answer is wrong.

What a learner reads about a lesson's exercises is a table, `lesson_04.ini`; what the
answers are compared with is computed beside it, in `lesson_04.py`. See `table`.
"""

from .checking import check

__all__ = ["check"]
