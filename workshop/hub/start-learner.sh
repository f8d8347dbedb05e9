#!/bin/sh
# Run as the learner. Lessons that are not in their home yet are copied there; what is there already is theirs and stays.
set -eu
course="$(cd "$(dirname "$0")/../.." && pwd -P)"
PATH="$course/.venv/bin:$PATH" # in terminals, too: tlcourse doctor
export PATH
# Where kernels have their sockets: systemd makes this folder for the learner alone, and its path is short enough for one.
if [ -n "${RUNTIME_DIRECTORY:-}" ]; then export JUPYTER_RUNTIME_DIR="$RUNTIME_DIRECTORY"; fi
mkdir -p "$HOME/lessons"
cd "$TLCOURSE_LESSONS"
find . -type d -exec mkdir -p "$HOME/lessons/{}" \;
find . -type f -exec sh -c 'for file; do [ -e "$HOME/lessons/$file" ] || cp "$file" "$HOME/lessons/$file"; done' sh {} +
cd "$HOME"
# The lessons as they were handed out last, to copy from: for a file that was spoilt, or came during the lesson.
[ -e as-handed-out ] || ln -s "$TLCOURSE_LESSONS" as-handed-out
exec jupyterhub-singleuser "$@"
