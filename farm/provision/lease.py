"""Who holds a device, read without the agent: a look must not leave the agent's folders behind."""

from __future__ import annotations

from farm.provision.accounts import FOLDER, USER
from farm.provision.nouns import NAME_OF_SCRIPT, Aim

HELD = "farm: held "

# As `lease_state` of agents/shell.
_HOLDER = r"""
mark=
for one in "$folder"/lease/1*; do [ -h "$one" ] && mark=$one; done
[ -n "$mark" ] || exit 0
text=$(readlink "$mark")
case $text in held:*) ;; *) exit 0 ;; esac
rest=${text#held:}
since=${rest%%:*} rest=${rest#*:}
ttl=${rest%%:*} rest=${rest#*:}
read -r boot </proc/sys/kernel/random/boot_id || boot=-
[ "${rest%%:*}" = "$boot" ] || exit 0
read -r now _ </proc/uptime
now=${now%%.*}
read -r beat 2>/dev/null <"$folder/lease/beat.${mark##*/}" && since=$((beat - 1000000000))
[ $((now - since)) -ge 0 ] && [ $((now - since)) -le "$ttl" ] || exit 0
echo "farm: held ${rest#*:}"
"""


def holder(aim: Aim) -> tuple[str, ...]:
    """A command that writes `farm: held NAME`, encoded as on the agent's line, where somebody holds it."""
    return ("sh", "-c", USER + FOLDER + _HOLDER, NAME_OF_SCRIPT, aim.user, aim.device.workdir)
