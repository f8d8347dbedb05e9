#!/bin/bash
# Run lessons once, so that what they compute lies in the common cache: a class that starts a cell together does not
# wait then for thirty times the same work.
#   warm.sh 00 05      the lessons of these numbers
# Run it as root. The lessons themselves run as tlcourse-warm, an account that owns the common cache and nothing else.
set -euo pipefail
umask 022
course="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
shared=/srv/tlcourse
stop() { echo "$*" >&2; exit 1; }

if [ "$(id -u)" = 0 ]; then
  id -u tlcourse-warm > /dev/null 2>&1 || stop "The account tlcourse-warm is not there. Run $course/workshop/hub/install.sh again."
  # In a service of its own: without root's terminal, and without a way back to root.
  exec systemd-run --quiet --wait --pipe --collect --uid=tlcourse-warm --gid=tlcourse-warm --slice=tlcourse.slice \
    --property=NoNewPrivileges=yes --property=PrivateTmp=yes --property=ProtectSystem=full --property=ProtectHome=read-only \
    --property=ProtectProc=invisible --property=UMask=0022 --property=KillMode=mixed -- "$course/workshop/hub/warm.sh" "$@"
fi
[ "$(id -un)" = tlcourse-warm ] || stop "This has to be run as root: sudo $0"

made="$(mktemp -d)"
trap 'rm -rf "$made"' EXIT
export HOME="$made" TLCOURSE_CACHE="$shared/cache" TLCOURSE_PACKS="$shared/packs" KERAS_HOME="$shared/keras"
export TLCOURSE_PROGRESS="$made/progress.json" TF_NUM_INTRAOP_THREADS=2 TF_NUM_INTEROP_THREADS=2 OMP_NUM_THREADS=2
export PATH="$course/.venv/bin:/usr/local/bin:/usr/bin:/bin" PYTHONDONTWRITEBYTECODE=1
for number in "$@"; do
  for notebook in "$shared"/lessons/"$number"_*.ipynb; do
    cp "$notebook" "$made/"
    echo "running $(basename "$notebook") as $(id -un)"
    (cd "$made" && jupyter execute "$(basename "$notebook")" > /dev/null 2> "$made/log") || { cat "$made/log" >&2; exit 1; }
  done
done
chmod -R go+rX,go-w "$shared/cache" "$shared/keras"
tlcourse cache show | tail -1
