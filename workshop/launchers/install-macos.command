#!/bin/sh
# Installs the course out of this folder, without internet:  sh install-macos.command [FOLDER]
here=$(dirname "$0")
for version in @PYTHONS@; do
  for name in "python$version" python3 python; do
    if command -v "$name" >/dev/null 2>&1 &&
      [ "$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$version" ]; then
      exec "$name" "$here/install.py" "$@"
    fi
  done
done
echo "This kit is for Python @PYTHONS@, and none was found. Install one: its installer may be in the folder "python" of this stick, or is at python.org."
exit 1
