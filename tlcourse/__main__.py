"""`python -m tlcourse` is the `tlcourse` command, for machines where that is not on the path."""

from .cli import main

main()
