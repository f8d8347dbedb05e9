#!/bin/bash
# Make a hub for a class out of this machine (Debian or Ubuntu, with systemd). Run it as root, from a copy of the course
# that everybody can read, such as /opt/tlcourse. To run it again is harmless, and is how the hub is updated.
set -euo pipefail
umask 022
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
course="$(cd "$here/../.." && pwd -P)"
shared=/srv/tlcourse
state=/var/lib/tlcourse-hub

stop() { echo "$*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || stop "This has to be run as root: sudo $0"
[ -d /run/systemd/system ] || stop "systemd is not running here. It is what holds learners to their limits; a container \
without it can use kubernetes/ instead."
command -v apt-get > /dev/null || stop "This is for Debian and Ubuntu; apt-get was not found."
case "$course" in *[[:space:]]*) stop "The course lies in '$course'; choose a folder without spaces, such as /opt/tlcourse.";; esac

echo "1/6 packages of the system"
needed=""
command -v ip > /dev/null || needed="$needed iproute2"
command -v make > /dev/null || needed="$needed make"
command -v npm > /dev/null || needed="$needed nodejs npm"
[ -d "$course/.venv" ] || python3 -c 'import ensurepip, venv' 2> /dev/null || needed="$needed python3-venv"
if [ -n "$needed" ]; then apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $needed; fi
node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || stop "The proxy needs Node.js 18 or later, and this \
system has $(node --version). Debian 12 and Ubuntu 24.04 have it."

echo "2/6 the course, once for everybody"
make --no-print-directory -C "$course" setup
"$course/.venv/bin/uv" pip install --quiet --python "$course/.venv/bin/python" --no-deps --require-hashes -r "$here/requirements.txt" ||
  "$course/.venv/bin/python" -m pip install --quiet --no-deps --require-hashes -r "$here/requirements.txt"
# Learners cannot write bytecode here, and without it each start of TensorFlow takes three times as long.
"$course/.venv/bin/python" -m compileall -q -j 0 "$course/.venv/lib" "$course/tlcourse" > /dev/null || true
find "$course" ! -type l \( ! -perm -0044 -o -type d ! -perm -0055 -o -perm /0022 \) -exec chmod go+rX,go-w {} +
runuser -u nobody -- "$course/.venv/bin/python" -c 'import tlcourse' 2> /dev/null || stop "Learners cannot read $course, or \
the Python in it. Put the course into a folder that everybody can read, such as /opt/tlcourse, and run \
'make setup PYTHON=/usr/bin/python3' there; then run this again."

echo "3/6 groups, the account that fills the common cache, and the proxy"
groupadd --force --system tlcourse
groupadd --force --system tlcourse-teachers
id -u tlcourse-warm > /dev/null 2>&1 || useradd --system --user-group --no-create-home --home-dir /nonexistent \
  --shell /usr/sbin/nologin tlcourse-warm
mkdir -p "$shared/packs"
for folder in "$shared/cache" "$shared/keras"; do
  mkdir -p "$folder"
  # Before, root filled these folders.
  [ "$(stat -c %U "$folder")" = tlcourse-warm ] || chown -R --no-dereference tlcourse-warm:tlcourse-warm "$folder"
done
# By npm's lock, with a SHA-512 for every package. Not run by root, and nothing of the packages is run. To move on:
# npm install --package-lock-only --omit-lockfile-registry-resolved configurable-http-proxy@VERSION (in proxy/)
if ! cmp -s "$here/proxy/package-lock.json" "$shared/node/package-lock.json"; then
  fresh="$(mktemp -d "$shared/.node-XXXXXX")"
  trap 'rm -rf "$fresh"' EXIT
  cp "$here/proxy/"package*.json "$fresh"
  chown -R tlcourse-warm:tlcourse-warm "$fresh"
  (cd "$fresh" && HOME="$fresh" runuser -u tlcourse-warm -- \
    npm ci --ignore-scripts --omit=dev --no-audit --no-fund --silent --cache "$fresh/.npm")
  rm -rf "$fresh/.npm" "$shared/node"
  chown -R --no-dereference root:root "$fresh"
  chmod -R go+rX,go-w "$fresh"
  mv "$fresh" "$shared/node"
fi

echo "4/6 secrets"
install -d -m 0700 "$state"
secret() { [ -s "$2" ] || (umask 077; printf '%s%s\n' "$1" "$(openssl rand -hex 32)" > "$2"); chmod 0600 "$2"; }
secret "" "$state/cookie_secret"
secret CONFIGPROXY_AUTH_TOKEN= "$state/proxy.env"

echo "5/6 the lessons"
if [ ! -d "$shared/lessons" ]; then "$here/lessons.sh"; fi

echo "6/6 the service"
[ -e /etc/tlcourse-hub.env ] || install -m 0600 "$here/hub.env" /etc/tlcourse-hub.env
install -m 0644 "$here/pam" /etc/pam.d/tlcourse-hub
# A learner's password is for the hub. Over ssh there would be neither limits nor lessons.
if [ -d /etc/ssh/sshd_config.d ]; then
  echo "DenyGroups tlcourse" > /etc/ssh/sshd_config.d/tlcourse-hub.conf
  systemctl try-reload-or-restart ssh.service || true
fi
for service in tlcourse-metadata tlcourse-hub; do
  sed "s|@COURSE@|$course|g" "$here/$service.service" > "/etc/systemd/system/$service.service"
done
if [ -d /etc/systemd/network ]; then # systemd-networkd removes rules of routing that are not its own
  mkdir -p /etc/systemd/networkd.conf.d
  printf '[Network]\nManageForeignRoutingPolicyRules=no\n' > /etc/systemd/networkd.conf.d/tlcourse.conf
fi
systemctl daemon-reload
systemctl enable --quiet tlcourse-metadata.service
systemctl reload-or-restart tlcourse-metadata.service
systemctl enable --quiet tlcourse-hub.service
systemctl restart tlcourse-hub.service
echo "The hub runs. Accounts: $here/accounts.py class.txt"
