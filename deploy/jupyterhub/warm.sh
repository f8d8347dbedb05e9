#!/bin/bash
# Run lessons once, so that what they compute lies in the common cache: a class that starts a cell together does not
# wait then for thirty times the same work.
#   warm.sh 00 05      the lessons of these numbers
set -euo pipefail
umask 022
course="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
made="$(mktemp -d)"
trap 'rm -rf "$made"' EXIT
export TLCOURSE_CACHE=/srv/tlcourse/cache TLCOURSE_PACKS=/srv/tlcourse/packs KERAS_HOME=/srv/tlcourse/keras
export TLCOURSE_PROGRESS="$made/progress.json" TF_NUM_INTRAOP_THREADS=2 TF_NUM_INTEROP_THREADS=2 OMP_NUM_THREADS=2
export PATH="$course/.venv/bin:$PATH"
for number in "$@"; do
  for notebook in /srv/tlcourse/lessons/"$number"_*.ipynb; do
    cp "$notebook" "$made/"
    echo "running $(basename "$notebook")"
    (cd "$made" && jupyter execute "$(basename "$notebook")" > /dev/null 2> "$made/log") || { cat "$made/log" >&2; exit 1; }
  done
done
chmod -R go+rX,go-w /srv/tlcourse/cache
tlcourse cache show | tail -1
