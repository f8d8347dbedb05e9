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
if [ "${1:-}" = --accounts ]; then
  "$here/accounts.py" --remove-all
  groupdel tlcourse || true
  groupdel tlcourse-teachers || true
fi
rm -f /etc/systemd/system/tlcourse-{hub,metadata}.service /etc/pam.d/tlcourse-hub /etc/tlcourse-hub.env \
  /etc/systemd/networkd.conf.d/tlcourse.conf
if [ -e /etc/ssh/sshd_config.d/tlcourse-hub.conf ]; then
  # Accounts that stay keep their passwords: without this line these would be good for ssh.
  if [ "${1:-}" = --accounts ]; then rm /etc/ssh/sshd_config.d/tlcourse-hub.conf; fi
fi
rm -rf /srv/tlcourse
if [ "${1:-}" = --accounts ]; then
  rm -rf "$state"
elif [ -d "$state" ]; then
  find "$state" -mindepth 1 ! -name accounts -delete # which accounts are the course's: --accounts may still be asked for
fi
id -u tlcourse-warm > /dev/null 2>&1 && userdel tlcourse-warm
systemctl daemon-reload
