#!/bin/bash
# Take the hub away again: service, secrets, shared data. The course's own folder stays.
#   uninstall.sh               leaves accounts and homes, and with them everybody's answers
#   uninstall.sh --accounts    removes them as well
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "This has to be run as root: sudo $0" >&2; exit 1; }
systemctl disable --quiet --now tlcourse-hub.service 2> /dev/null || true
systemctl stop tlcourse.slice 2> /dev/null || true
if [ "${1:-}" = --accounts ]; then
  for name in $(getent group tlcourse | cut -d: -f4 | tr , ' '); do
    userdel --remove "$name" 2> /dev/null && echo "removed $name"
  done
  groupdel tlcourse || true
  groupdel tlcourse-teachers || true
fi
rm -f /etc/systemd/system/tlcourse-hub.service /etc/pam.d/tlcourse-hub /etc/tlcourse-hub.env
if [ -e /etc/ssh/sshd_config.d/tlcourse-hub.conf ]; then
  # Accounts that stay keep their passwords: without this line these would be good for ssh.
  if [ "${1:-}" = --accounts ]; then rm /etc/ssh/sshd_config.d/tlcourse-hub.conf; fi
fi
rm -rf /var/lib/tlcourse-hub /srv/tlcourse
systemctl daemon-reload
