#!/usr/bin/env bash
# Tries a command of this repository in a bare Debian 12, which has Python, git and certificates, and nothing else.
#
#   dev/bare_machine.sh FOLDER ACCOUNT COMMAND...
#
# FOLDER   where the machine is made; `rm -rf` it for a new one. It must not be mounted noexec or nodev
# ACCOUNT  root   root, with a fresh clone of HEAD in /root, which only root can enter
#          srv    root, with a clone in /srv
#          user   an ordinary account, with a clone in its home folder
#
# For example: dev/bare_machine.sh /var/tmp/bare user bin/up --once
#
# It needs root and debootstrap. What this machine needs to reach registries goes in by two variables:
# BARE_FILES, files to copy to the same places (always: /etc/resolv.conf), and BARE_ENV, names of variables to pass on.
# Mounts and processes are in namespaces of their own, and end with the command.

set -euo pipefail

(($# >= 3)) || { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
((EUID == 0)) || { echo 'bare_machine.sh: run it as root' >&2; exit 2; }

source=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
machine=$(mkdir -p "$1" && cd -- "$1" && pwd -P)/machine
account=$2
shift 2

case $account in
  root) place=/root/muniment drop=() home=/root ;;
  srv) place=/srv/muniment drop=() home=/root ;;
  user) place=/home/ada/muniment drop=(setpriv --reuid=ada --regid=ada --init-groups) home=/home/ada ;;
  *) echo "bare_machine.sh: no account $account: root, srv or user" >&2; exit 2 ;;
esac

if [[ ! -d $machine ]]; then
  rm -rf "$machine.part"
  debootstrap --variant=minbase --include=python3,git,ca-certificates bookworm "$machine.part"
  chroot "$machine.part" useradd --create-home --shell /bin/bash ada
  mv "$machine.part" "$machine"
fi
for file in /etc/resolv.conf ${BARE_FILES-}; do
  install -D -m 644 "$file" "$machine$file"
done
rm -rf "${machine:?}$place"
git clone --quiet "$source" "$machine$place"
[[ $account != user ]] || chroot "$machine" chown -R ada:ada "$place"

environment=(HOME="$home" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb)
for name in ${BARE_ENV-}; do
  [[ -z ${!name+x} ]] || environment+=("$name=${!name}")
done

# shellcheck disable=SC2016
# The inner shells expand it.
exec unshare --mount --pid --fork --kill-child --propagation private bash -euc '
  machine=$1 place=$2
  shift 2
  mount --bind "$machine" "$machine" # the root of a real machine is a mount point too
  cd "$machine"
  mount -t proc proc "$machine/proc"
  mount -t tmpfs -o mode=755 dev "$machine/dev"
  for device in null zero full random urandom tty; do
    : >"$machine/dev/$device"
    mount --bind "/dev/$device" "$machine/dev/$device"
  done
  mkdir "$machine/dev/pts" "$machine/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$machine/dev/pts"
  mount -t tmpfs -o mode=1777 shm "$machine/dev/shm"
  ln -s pts/ptmx "$machine/dev/ptmx"
  ln -s /proc/self/fd "$machine/dev/fd"
  for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "$machine/dev/${number#*:}"; done
  exec chroot "$machine" sh -c '\''cd "$1" && shift && exec env -i "$@"'\'' sh "$place" "$@"
' bash "$machine" "$place" "${environment[@]}" "${drop[@]}" "$@"
