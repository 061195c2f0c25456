"""The user that farm logs in as on a device, the key that lets it in, and its folder."""

from __future__ import annotations

from farm.model.limits.disk import Portion
from farm.provision.nouns import NAME_OF_SCRIPT, Aim

ROOM = Portion(10, 1_000_000_000)
"""What a working folder is to have at least: as `farm devices check` warns of it."""

# Below its home folder all is done as the user itself: root would follow a link there.
USER = r"""
LC_ALL=C; export LC_ALL; umask 022
user=$1; shift
look() { # the user's line; getent takes a number for a uid, and a pattern would find another user
  line=$(getent passwd "$user" 2>/dev/null) || while IFS= read -r line; do
    case $line in "$user":*) break ;; esac
  done </etc/passwd
  case $line in "$user":*) ;; *) line= ;; esac
  home=$(printf '%s\n' "$line" | cut -d: -f6) uid=$(printf '%s\n' "$line" | cut -d: -f3)
}
look
me=$(id -u)
as_user() {
  if [ "$me" = 0 ] && [ "$uid" != 0 ]; then su -s /bin/sh "$user" -c 'exec sh -s'; else sh -s; fi
}
"""

_CHECK_USER = r"""
if [ -z "$line" ]; then
  echo "farm: change add the user $user"
  for key do echo "farm: change let in the key ${key%% *} ...$(printf %s "$key" | tail -c 12)"; done
elif [ ! -d "$home" ]; then echo "farm: cannot the home folder $home of $user is not there"
elif [ "$me" != 0 ] && [ "$me" != "$uid" ]; then echo "farm: cannot only root may look into $home"
else
  todo=
  for key do
    if ! printf 'cat "%s/.ssh/authorized_keys"\n' "$home" | as_user 2>/dev/null | grep -F -q -e "$key"; then
      todo=yes
      echo "farm: change let in the key ${key%% *} ...$(printf %s "$key" | tail -c 12)"
    fi
  done
  [ -n "$todo" ] || echo farm: ok
fi
"""

# `*` instead of `!` as the password: there is none, but the account is not locked, which sshd would refuse.
_CHANGE_USER = r"""
if [ -z "$line" ]; then
  if command -v useradd >/dev/null 2>&1; then useradd -m -s /bin/sh -p '*' "$user" || exit 1
  elif command -v adduser >/dev/null 2>&1; then
    adduser -D -s /bin/sh "$user" && echo "$user:*" | chpasswd -e || exit 1
  else echo "neither useradd nor adduser is there" >&2; exit 1
  fi
  look
  [ -n "$line" ] || { echo "$user was added, but is not in /etc/passwd" >&2; exit 1; }
fi
{
  cat <<'END'
umask 077
trap 'rm -f .farm.$$' EXIT
{ [ -d .ssh ] || mkdir .ssh; } && cd .ssh || exit
[ ! -e authorized_keys ] || cat authorized_keys >.farm.$$ || exit
[ -z "$(tail -c 1 .farm.$$ 2>/dev/null)" ] || echo >>.farm.$$
END
  for key do
    printf "grep -F -q -e '%s' .farm.\$\$ 2>/dev/null || echo '%s farm' >>.farm.\$\$\n" "$key" "$key"
  done
  echo 'mv -f .farm.$$ authorized_keys && chmod 600 authorized_keys'
} | (cd "$home" && as_user)
"""

FOLDER = r"""
case $1 in '~') folder=$home ;; '~/'*) folder=$home/${1#'~/'} ;; *) folder=$1 ;; esac
quoted=$(printf '%s\n' "$folder" | sed "s/'/'\\\\''/g")
"""

_CHECK_FOLDER = r"""
[ -n "$line" ] || { echo "farm: change make $1, once there is the user $user"; exit 0; }
[ "$me" = 0 ] || [ "$me" = "$uid" ] || { echo "farm: cannot only root may make it for $user"; exit 0; }
if [ -e "$folder" ] || [ -h "$folder" ]; then
  if ! printf "[ -d '%s' ] && [ -w '%s' ]\n" "$quoted" "$quoted" | as_user; then
    echo "farm: cannot $folder is there, and $user may not write to it: another workdir, or chown it by hand"
    exit 0
  fi
else
  echo "farm: change make $folder, for $user"
fi
at=$folder
while [ ! -d "$at" ] && [ "$at" != / ] && [ -n "$at" ]; do at=${at%/*}; done
set -- $(df -Pk "${at:-/}" 2>/dev/null | tail -n 1) - - - -
size_kb=$2 free_kb=$4
case $size_kb$free_kb in *[!0-9]*) echo farm: ok; exit 0 ;; esac
need_kb=$((size_kb / 10))
[ $need_kb -le MOST ] || need_kb=MOST
if [ $free_kb -lt $need_kb ]; then
  best= best_kb=0
  while read -r _ size _ free _ mount; do
    case $size$free in '' | *[!0-9]*) continue ;; esac
    case $mount in /dev | /dev/* | /proc* | /sys* | /run* | /boot* | /snap* | *' '*) continue ;; esac
    if [ $free -gt $best_kb ] && [ $free -ge MOST ]; then best=$mount best_kb=$free; fi
  done <<END
$(df -Pk 2>/dev/null | tail -n +2)
END
  said="farm: cannot $((free_kb / 1000)) MB are free for $folder"
  if [ -n "$best" ]; then echo "$said, $best has $((best_kb / 1000)) MB: set workdir: ${best%/}/farm"
  else echo "$said, and no other disk has more: farm devices clean"
  fi
else echo farm: ok
fi
"""

_CHANGE_FOLDER = r"""
[ -n "$line" ] || { echo "there is no user $user: --task user" >&2; exit 1; }
[ ! -d "$folder" ] || exit 0
printf "mkdir -p '%s'\n" "$quoted" | as_user 2>/dev/null && exit 0
[ "$me" = 0 ] || { echo "$user may not make $folder" >&2; exit 1; }
case $folder/ in "$home"/*) echo "$user cannot make $folder in its own home folder" >&2; exit 1 ;; esac
mkdir -p "${folder%/*}/" && mkdir "$folder" && chown "$user" "$folder"
"""


def check_user(aim: Aim) -> tuple[str, ...]:
    return ("sh", "-c", USER + _CHECK_USER, NAME_OF_SCRIPT, aim.user, *aim.keys)


def change_user(aim: Aim) -> tuple[str, ...]:
    return ("sh", "-c", USER + _CHANGE_USER, NAME_OF_SCRIPT, aim.user, *aim.keys)


def no_key(aim: Aim) -> str | None:
    return None if aim.keys else "no key of this device is known here: --key FILE.pub"


def check_folder(aim: Aim) -> tuple[str, ...]:
    most_kb = str((ROOM.most_bytes or 0) // 1000)
    script = USER + FOLDER + _CHECK_FOLDER.replace("MOST", most_kb)
    return ("sh", "-c", script, NAME_OF_SCRIPT, aim.user, aim.device.workdir)


def change_folder(aim: Aim) -> tuple[str, ...]:
    return ("sh", "-c", USER + FOLDER + _CHANGE_FOLDER, NAME_OF_SCRIPT, aim.user, aim.device.workdir)
