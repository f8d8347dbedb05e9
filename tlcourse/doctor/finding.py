"""What the doctor says of one thing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        subject: what was looked at.
        state: "ok"; "optional" (no lesson needs it); "look" (the course runs, but see the text); "missing" (a lesson
            or two cannot run); "broken" (the course cannot run).
        text: what was found, and where it is not ok, what to do.
    """

    subject: str
    state: str
    text: str
