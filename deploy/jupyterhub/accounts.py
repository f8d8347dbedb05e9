#!/usr/bin/env python3
"""Make an account for each learner of a class list, and print their passwords: once, and nowhere else.

accounts.py LIST                 LIST is a text file with one user name a line: ada
accounts.py LIST --teachers      for those who may see and stop other people's servers
accounts.py --new-password NAME  for somebody who has lost theirs

A line that begins with # and what stands behind a comma (ada, Ada Lovelace) are left alone. Accounts that are in the
group tlcourse already keep their password and are passed over, so that a longer list can be given again.
"""

import argparse
import grp
import pwd
import re
import secrets
import subprocess
import sys
from pathlib import Path

LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # without those that are mistaken for one another on paper: l 1 o 0
NAME = re.compile(r"[a-z][a-z0-9-]{1,30}")


def new_password() -> str:
    """Sixteen characters in groups of four: 79 bits."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


def read_list(path: Path) -> list[str]:
    """The user names of a class list; all of them are looked at before any account is made."""
    lines = [line.partition(",")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    names = [name for name in lines if name and not name.startswith("#")]
    wrong = [name for name in names if not NAME.fullmatch(name)]
    if wrong:
        sys.exit(
            f"These are no user names: {', '.join(wrong)}. Expected 2 to 31 small letters a to z, digits and hyphens, "
            "a letter first. No account was made."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sys.exit(f"These are in the list twice: {', '.join(twice)}. No account was made.")
    return names


def is_learner(name: str) -> bool:
    return name in grp.getgrnam("tlcourse").gr_mem


def exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def make_account(name: str, teacher: bool) -> str:
    """A user with a home for themselves alone; their password."""
    groups = "tlcourse,tlcourse-teachers" if teacher else "tlcourse"
    options = ["--create-home", "--user-group", "--shell", "/bin/bash", "--groups", groups]
    subprocess.run(["useradd", *options, "--key", "HOME_MODE=0700", name], check=True)
    return set_password(name)


def set_password(name: str) -> str:
    password = new_password()
    # On standard input: a command line can be read by every process.
    subprocess.run(["chpasswd"], input=f"{name}:{password}\n", text=True, check=True)
    return password


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=Path, nargs="?")
    parser.add_argument("--teachers", action="store_true")
    parser.add_argument("--new-password", metavar="NAME")
    chosen = parser.parse_args()
    if chosen.new_password:
        if not is_learner(chosen.new_password):
            sys.exit(f"{chosen.new_password} is no account of the course; its password was left as it is.")
        return print(f"{chosen.new_password}  {set_password(chosen.new_password)}")
    if not chosen.list:
        parser.error("name a class list")
    names = [name for name in read_list(chosen.list) if not is_learner(name)]
    taken = [name for name in names if exists(name)]
    if taken:
        sys.exit(f"This machine has other accounts with these names: {', '.join(taken)}. No account was made.")
    for name in names:
        print(f"{name:<32}{make_account(name, chosen.teachers)}", flush=True)


if __name__ == "__main__":
    main()
