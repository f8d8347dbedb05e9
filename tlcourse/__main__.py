"""`python -m tlcourse` is the `tlcourse` command, where that is not on the path."""

from .cli import main

main()
