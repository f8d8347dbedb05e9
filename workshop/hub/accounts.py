#!/usr/bin/env python3
"""Make an account for each learner of a class list, and print their passwords, once.

accounts.py LIST                 LIST is a text file with one user name per line: ada
accounts.py LIST --teachers      for those who may see and stop other people's servers
accounts.py --new-password NAME  for somebody who has lost theirs
accounts.py --remove-all         remove every account that this program made, with home

Lines that begin with # and what stands behind a comma (ada, Ada Lovelace) are ignored.
Accounts that are in the group tlcourse already keep their password, so that a longer
list can be given again.
"""

import argparse
import grp
import os
import pwd
import re
import secrets
import subprocess
import sys
from pathlib import Path

# Without those that look alike on paper: l 1 o 0.
LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
NAME = re.compile(r"[a-z][a-z0-9-]{1,30}")
# name:uid:home of each account that was made here; for root alone.
MADE = Path("/var/lib/tlcourse-hub/accounts")
FIRST_UID = 1000  # below are the system's own accounts


def new_password() -> str:
    """Sixteen characters in groups of four: 79 bits."""
    groups = ["".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4)]
    return "-".join(groups)


def read_list(path: Path) -> list[str]:
    """The user names of a class list, all checked before any account is made."""
    lines = path.read_text(encoding="utf-8").splitlines()
    names = [line.partition(",")[0].strip() for line in lines]
    names = [name for name in names if name and not name.startswith("#")]
    wrong = [name for name in names if not NAME.fullmatch(name)]
    if wrong:
        sys.exit(
            f"These are no user names: {', '.join(wrong)}. Expected 2 to 31 small "
            "letters a to z, digits and hyphens, a letter first. No account was made."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sys.exit(f"In the list twice: {', '.join(twice)}. No account was made.")
    return names


def members() -> list[str]:
    """The accounts in the group tlcourse; none where there is no such group."""
    try:
        return grp.getgrnam("tlcourse").gr_mem
    except KeyError:
        return []


def exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def make_account(name: str, teacher: bool) -> str:
    """A user with a home for themselves alone; their password."""
    groups = "tlcourse,tlcourse-teachers" if teacher else "tlcourse"
    options = ["--create-home", "--user-group", "--shell", "/bin/bash"]
    options += ["--groups", groups, "--key", "HOME_MODE=0700"]
    subprocess.run(["useradd", *options, name], check=True)
    record(name)
    return set_password(name)


def record(name: str) -> None:
    """Note that this account was made here, so that it alone can be removed again."""
    account = pwd.getpwnam(name)
    MADE.parent.mkdir(mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    with open(os.open(MADE, flags, 0o600), "a") as file:
        file.write(f"{name}:{account.pw_uid}:{account.pw_dir}\n")


def why_not_removed(name: str, uid: int, home: str) -> str:
    """Why an account of the record is left alone; nothing if it is as it was made."""
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return "is gone already"
    if account.pw_uid != uid:
        return f"has uid {account.pw_uid} now, and was made with {uid}"
    if uid < FIRST_UID:
        return f"has uid {uid}, which is a system account's"
    if account.pw_dir != home or os.path.islink(home):
        return f"no longer has {home} as its home, or it is a link"
    if os.path.exists(home) and os.stat(home).st_uid != uid:
        return f"has a home, {home}, that belongs to another account"
    return ""


def remove_all() -> None:
    """Remove the accounts that were made here; those added by hand stay, with homes."""
    group, busy = set(members()), []
    lines = MADE.read_text(encoding="utf-8").splitlines() if MADE.is_file() else []
    made = {}
    for name, uid, home in (line.split(":", 2) for line in lines):
        made[name] = int(uid), home
    for name, (uid, home) in made.items():
        if reason := why_not_removed(name, uid, home):
            print(f"left {name}: it {reason}")
            continue
        command = ["userdel", "--remove", name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"left {name}: {done.stderr.strip()}")
            busy.append(name)
        else:
            print(f"removed {name}")
    for name in sorted(group - set(made)):
        print(f"left {name}: it is not in {MADE}")
    if busy:
        sys.exit(
            f"These could not be removed: {', '.join(busy)}. End their processes, then "
            "run this again."
        )


def set_password(name: str) -> str:
    password = new_password()
    # On standard input: a command line can be read by every process.
    subprocess.run(["chpasswd"], input=f"{name}:{password}\n", text=True, check=True)
    return password


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("list", type=Path, nargs="?")
    parser.add_argument("--teachers", action="store_true")
    parser.add_argument("--new-password", metavar="NAME")
    parser.add_argument("--remove-all", action="store_true")
    chosen = parser.parse_args()
    if chosen.remove_all:
        return remove_all()
    if chosen.new_password:
        if chosen.new_password not in members():
            sys.exit(f"{chosen.new_password} is no account of the course.")
        return print(f"{chosen.new_password}  {set_password(chosen.new_password)}")
    if not chosen.list:
        parser.error("name a class list")
    names = [name for name in read_list(chosen.list) if name not in members()]
    taken = [name for name in names if exists(name)]
    if taken:
        sys.exit(f"Other accounts have these names: {', '.join(taken)}. None was made.")
    for name in names:
        print(f"{name:<32}{make_account(name, chosen.teachers)}", flush=True)


if __name__ == "__main__":
    main()
