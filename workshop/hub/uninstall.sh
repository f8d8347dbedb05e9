#!/bin/bash
# Take the hub away again: service, secrets, shared data. The course's own folder stays.
#   uninstall.sh               leaves accounts and homes, and with them everybody's answers
#   uninstall.sh --accounts    removes as well the accounts that accounts.py made, with their homes; no others
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
state=/var/lib/tlcourse-hub
[ "$(id -u)" = 0 ] || { echo "This has to be run as root: sudo $0" >&2; exit 1; }
systemctl disable --quiet --now tlcourse-hub.service 2> /dev/null || true
systemctl stop tlcourse.slice 2> /dev/null || true
systemctl disable --quiet --now tlcourse-metadata.service 2> /dev/null || true
"$here/metadata.sh" allow || true
removed="" # Only where no account is left that accounts.py made can its record go, and what keeps its password from ssh.
if [ "${1:-}" = --accounts ] && "$here/accounts.py" --remove-all; then
  removed=yes
  groupdel tlcourse || true
  groupdel tlcourse-teachers || true
fi
rm -f /etc/systemd/system/tlcourse-{hub,metadata}.service /etc/pam.d/tlcourse-hub /etc/tlcourse-hub.env \
  /etc/systemd/networkd.conf.d/tlcourse.conf
rm -rf /srv/tlcourse
if [ "$removed" ]; then
  rm -f /etc/ssh/sshd_config.d/tlcourse-hub.conf
  rm -rf "$state"
elif [ -d "$state" ]; then
  find "$state" -mindepth 1 ! -name accounts -delete # which accounts are the course's: --accounts may still be asked for
fi
if id -u tlcourse-warm > /dev/null 2>&1; then userdel tlcourse-warm || true; fi
systemctl daemon-reload
[ "${1:-}" != --accounts ] || [ "$removed" ]
