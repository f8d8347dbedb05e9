#!/bin/bash
# Boot a machine to throw away: systemd in namespaces of its own, on this machine's files, none of which it can write.
#   machine.sh SCRATCH WRITABLE…   SCRATCH: an empty folder; WRITABLE: folders that it sees and may write to, in memory
# machine.py starts it with `unshare`, in control groups made for it. Whatever is written there is gone with the process.
set -euo pipefail
scratch="$1"
shift
root="$scratch/root"
mount --make-rprivate /
mkdir "$root" "$scratch/rw"
mount -t tmpfs tmpfs "$scratch/rw"
mount --bind / "$root"
mount -o remount,bind,ro "$root"

number=0
for folder in /etc /var /opt /root "$@"; do
  number=$((number + 1))
  mkdir "$scratch/rw/$number" "$scratch/rw/$number-work"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=$scratch/rw/$number,workdir=$scratch/rw/$number-work" "$root$folder"
done
for folder in /run /home /srv; do mount -t tmpfs -o mode=755 tmpfs "$root$folder"; done
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
for kind in $(sed -n 's/^[0-9]*:\([a-z=,]*\):.*/\1/p' /proc/self/cgroup); do
  mkdir "$root/sys/fs/cgroup/${kind#name=}"
  case "$kind" in name=*) options="none,$kind";; *) options="$kind";; esac
  mount -t cgroup -o "$options" cgroup "$root/sys/fs/cgroup/${kind#name=}"
done

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
for link in fd stdin:0 stdout:1 stderr:2; do
  case "$link" in fd) target=/proc/self/fd;; *) target="/proc/self/fd/${link#*:}";; esac
  ln -s "$target" "$root/dev/${link%:*}"
done

# Nothing starts but what is started: no network, no clock, no other services of this machine.
rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/system/*.requires
chmod 711 "$root/root" # this machine's Python may live there, and learners have to start it
echo machine > "$root/etc/hostname"
cd "$root"
pivot_root . .
umount -l .
exec env -i container=unshare PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /usr/lib/systemd/systemd --system --unit=multi-user.target --log-target=null
