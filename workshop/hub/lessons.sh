#!/bin/bash
# Hand out: make the learners' notebooks anew (or take those in FOLDER) and put them where every learner copies from.
#   lessons.sh [FOLDER]
set -euo pipefail
umask 022
course="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
lessons=/srv/tlcourse/lessons
made="$(mktemp -d)"
trap 'rm -rf "$made"' EXIT
from="${1:-}"
if [ -z "$from" ]; then
  (cd "$course" && .venv/bin/python -m workshop handout "$made/class" > /dev/null)
  from="$made/class/learners"
fi
mkdir -p "$lessons"
cp -R "$from/." "$lessons/"
chmod -R go+rX,go-w "$lessons"
echo "$lessons has $(find "$lessons" -name '*.ipynb' | wc -l) notebooks. Learners get those they do not have when their server starts."
