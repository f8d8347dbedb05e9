#!/bin/bash
# Keep people's accounts away from the addresses at which a cloud gives each of its machines keys and secrets.
#   metadata.sh block     run at every boot by tlcourse-metadata.service
#   metadata.sh allow     takes the rules away again; uninstall.sh runs it
# Rules of the kernel's routing by user: root and system accounts (below 1000), such as the cloud's own agents, still get
# there. TCP only, since on some clouds the same addresses answer DNS by UDP. "protocol kernel": rules of any other protocol
# are removed by systemd-networkd when it starts.
set -euo pipefail
case "${1:-}" in
  block) verb=add;;
  allow) verb=del;;
  *) echo "metadata.sh block or metadata.sh allow" >&2; exit 2;;
esac
ipv4="169.254.0.0/16 168.63.129.16 100.100.100.200 192.0.0.192" # nearly all clouds; Azure; Alibaba; Oracle
# OpenStack and Akamai; Amazon; Google; Oracle; Scaleway; Akamai; Alibaba
ipv6="fe80::a9fe:a9fe fd00:ec2::/32 fd20:ce::254 fd00:c1::a9fe:a9fe fd00:42::42 fd00:a9fe:a9fe::1 fd00:100::100:200"
users="1000-4294967294"
warm="$(id -u tlcourse-warm 2> /dev/null || true)"

# A machine without IPv6 knows no rules for it, and has no way to those addresses either.
families="-4"
if ip -6 rule show > /dev/null 2>&1; then families="-4 -6"; fi

# Each rule is added or deleted by all that it consists of: an administrator may have others of the same preference. Rules
# that are there already are left alone, so that blocking again opens no gap.
for family in $families; do
  case $family in -4) addresses=$ipv4;; *) addresses=$ipv6;; esac
  for address in $addresses; do
    for range in $users ${warm:+$warm-$warm}; do
      said="$(LC_ALL=C ip "$family" rule $verb preference 100 uidrange "$range" to "$address" ipproto tcp protocol kernel prohibit 2>&1)" ||
        case "$verb $said" in
          add*"File exists"* | del*"No such file or directory"*) ;;
          *) echo "$said" >&2; exit 1;;
        esac
    done
  done
done
