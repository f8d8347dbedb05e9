#!/bin/sh
# Installs the course out of this folder, without internet:  sh install-linux.sh [FOLDER]
here=$(dirname "$0")
for version in @PYTHONS@; do
  for name in "python$version" python3 python; do
    if command -v "$name" >/dev/null 2>&1 &&
      [ "$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$version" ]; then
      exec "$name" "$here/install.py" "$@"
    fi
  done
done
echo "This kit is for Python @PYTHONS@, and none was found. On Debian and Ubuntu: sudo apt install python3 python3-venv"
exit 1
