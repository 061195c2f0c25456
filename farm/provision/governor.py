"""The right to set governors, frequencies and turbo: just the files that the agent's `set` writes."""

from __future__ import annotations

import re

from farm.provision.nouns import NAME_OF_SCRIPT, Aim

CPU = "/sys/devices/system/cpu"
PER_CORE = ("scaling_governor", "scaling_min_freq", "scaling_max_freq")
WHOLE = ("cpufreq/boost", "intel_pstate/no_turbo")
SUDOERS_FOLDER = "/etc/sudoers.d"
UDEV_RULE = "/etc/udev/rules.d/99-farm-cpufreq.rules"

_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
"""A user that means nothing else in sudoers and udev rules."""


def excuse(aim: Aim) -> str | None:
    """Why nothing is to be done: the inventory does not ask for it."""
    pin = aim.device.pin
    if pin is None or (pin.governor is None and pin.frequency_khz is None and pin.turbo is None):
        return "the inventory has no `pin` for this device"
    if not _NAME.fullmatch(aim.user):
        return f"the user {aim.user} has a name that sudoers and udev rules cannot hold safely"
    return None


def sudoers(user: str) -> str:
    """What `sudo -n tee` may write. A bracket is one digit: `*` would match a blank, and then any file."""
    numbers = ("[0-9]" * count for count in (1, 2, 3))
    files = [f"cpu{number}/cpufreq/{name}" for number in numbers for name in PER_CORE]
    lines = [
        f"{user} ALL=(root) NOPASSWD: {tee} {CPU}/{file}"
        for tee in ("/usr/bin/tee", "/bin/tee")
        for file in (*files, *WHOLE)
    ]
    return "\n".join(("# Made by `farm devices provision`: what farm may set on this device.", *lines, ""))


def udev_rule(user: str) -> str:
    """The same files, the user's after each start of the device."""
    cores = " ".join(f"/sys%p/cpufreq/{name}" for name in PER_CORE)
    whole = " ".join(f"{CPU}/{file}" for file in WHOLE)
    command = f"/bin/sh -c 'chown {user} {cores} {whole} 2>/dev/null; true'"
    return (
        "# Made by `farm devices provision`: what farm may set on this device.\n"
        f'ACTION=="add|change", SUBSYSTEM=="cpu", RUN+="{command}"\n'
    )


# $1: the user, $2: direct or sudo, $3: the file, $4: its content. -> files: those that the kernel has.
_FILES = rf"""
umask 022
user=$1 how=$2 file=$3 content=$4
files=
for one in {CPU}/cpu[0-9]*/cpufreq/scaling_governor {CPU}/cpu[0-9]*/cpufreq/scaling_min_freq \
  {CPU}/cpu[0-9]*/cpufreq/scaling_max_freq {CPU}/cpufreq/boost {CPU}/intel_pstate/no_turbo; do
  [ ! -e "$one" ] || files="$files $one"
done
uid=$(id -u "$user" 2>/dev/null) || uid=
is_written() {{ [ "$(cat "$file" 2>/dev/null; echo .)" = "$content
." ]; }}
"""

_CHECK = r"""
if [ -z "$files" ]; then echo "farm: none the kernel lets nobody set a frequency"
elif [ -z "$uid" ]; then echo "farm: change write $file, once there is the user $user"
elif [ "$uid" = 0 ]; then echo farm: ok
elif [ "$how" = sudo ]; then
  if [ ! -d "${file%/*}" ]; then echo "farm: change write $file, once sudo is installed"
  elif [ "$(id -u)" != 0 ]; then
    if sudo -n -l tee "${files##* }" >/dev/null 2>&1; then echo farm: ok
    else echo "farm: change write $file, for sudo -n tee of $(echo $files | wc -w) files of cpufreq"; fi
  elif is_written; then echo farm: ok
  else echo "farm: change write $file, for sudo -n tee of $(echo $files | wc -w) files of cpufreq"
  fi
else
  others=0
  for one in $files; do
    set -- $(ls -Lnd "$one"); [ "$3" = "$uid" ] || others=$((others + 1))
  done
  [ $others = 0 ] || echo "farm: change make $user the owner of $others files of cpufreq"
  if [ ! -d "${file%/*}" ]; then [ $others != 0 ] || echo farm: ok
  elif is_written; then echo farm: ok
  else echo "farm: change write $file, for the same after a restart"
  fi
fi
"""

_CHANGE = r"""
[ -n "$uid" ] || { echo "there is no user $user: --task user" >&2; exit 1; }
[ "$how" != sudo ] || [ -d "${file%/*}" ] || { echo "sudo is not installed: --task packages" >&2; exit 1; }
write() { # aside, looked at, and renamed: a half sudoers file would lock people out
  new=${file%/*}/.farm.$$ # a name with a dot counts for nothing there
  trap 'rm -f "$new"' EXIT
  (umask 077; printf '%s\n' "$content" >"$new") && chown 0:0 "$new" && chmod "$1" "$new" || return
  [ "$how" != sudo ] || ! command -v visudo >/dev/null 2>&1 || visudo -c -q -f "$new" || return
  mv -f "$new" "$file"
}
if [ "$how" = sudo ]; then write 0440 || exit 1
else
  chown "$user" $files || exit 1
  [ ! -d "${file%/*}" ] || write 0644 || exit 1
  ! command -v udevadm >/dev/null 2>&1 || udevadm control --reload 2>/dev/null || true
fi
"""


def _arguments(aim: Aim) -> tuple[str, ...]:
    how = aim.device.pin.how if aim.device.pin is not None else "direct"
    if how == "sudo":
        file, content = f"{SUDOERS_FOLDER}/farm-{aim.user}", sudoers(aim.user)
    else:
        file, content = UDEV_RULE, udev_rule(aim.user)
    return (NAME_OF_SCRIPT, aim.user, how, file, content.removesuffix("\n"))


def check(aim: Aim) -> tuple[str, ...]:
    return ("sh", "-c", _FILES + _CHECK, *_arguments(aim))


def change(aim: Aim) -> tuple[str, ...]:
    return ("sh", "-c", _FILES + _CHANGE, *_arguments(aim))
