"""The tools that a device needs, and the packages that have them."""

from __future__ import annotations

from collections.abc import Mapping

from farm.model.device import RuntimeKind
from farm.provision.nouns import NAME_OF_SCRIPT, Aim

NEEDED = (
    "cat", "chmod", "cp", "du", "env", "grep", "head", "ln", "ls", "mkdir", "mv", "readlink", "rm", "setsid",
    "sha256sum", "sleep", "tail", "touch", "wc",
)  # fmt: skip
"""TOOLS of agents/shell/1-check/3-device.sh: it does not start without them. A test compares."""

WANTED = ("taskset", "timeout")
"""With these a device can do more: bind threads to cores, and end a tool that hangs."""

_COREUTILS = (
    "cat", "chmod", "cp", "du", "env", "head", "ln", "ls", "mkdir", "mv", "readlink", "rm", "sha256sum",
    "sleep", "tail", "tee", "timeout", "touch", "wc",
)  # fmt: skip
_UTIL_LINUX = ("setsid", "taskset")

_APT = "apt-get -o DPkg::Lock::Timeout=120"
_BY_APT = f"{_APT} install -y --no-install-recommends $packages"

# Manager: how packages are installed ($packages; a list of them that is too old is fetched first), and the
# package of each tool.
MANAGERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "apt-get": (
        f"export DEBIAN_FRONTEND=noninteractive; {_BY_APT} || {{ {_APT} update && {_BY_APT}; }}",
        {
            **dict.fromkeys(_COREUTILS, "coreutils"),
            **dict.fromkeys(_UTIL_LINUX, "util-linux"),
            "grep": "grep", "python3": "python3", "sudo": "sudo",
        },
    ),
    "apk": (
        "apk add --no-cache $packages",
        {
            **dict.fromkeys(_COREUTILS, "coreutils"),
            **dict.fromkeys(_UTIL_LINUX, "util-linux"),
            "grep": "grep", "python3": "python3", "sudo": "sudo",
        },
    ),
    "dnf": (
        "dnf install -y $packages",
        {
            **dict.fromkeys(_COREUTILS, "coreutils"),
            **dict.fromkeys(_UTIL_LINUX, "util-linux"),
            "grep": "grep", "python3": "python3", "sudo": "sudo",
        },
    ),
    "opkg": (
        "opkg update && opkg install $packages",
        {
            **{tool: f"coreutils-{tool}" for tool in _COREUTILS},
            "setsid": "setsid", "taskset": "taskset",
            "grep": "grep", "python3": "python3-light", "sudo": "sudo",
        },
    ),
}  # fmt: skip


def tools_for(aim: Aim) -> tuple[str, ...]:
    """What a device needs for what its inventory says of it."""
    device = aim.device
    more = []
    if device.runtime.kind is RuntimeKind.WHEEL and device.runtime.python is None:
        more.append("python3")
    if device.pin is not None and device.pin.how == "sudo":
        more += ["sudo", "tee"]
    return (*NEEDED, *WANTED, *more)


_MISSING = """
manager=
for one in {managers}; do
  if command -v "$one" >/dev/null 2>&1; then manager=$one; break; fi
done
package_of() {{
  case $manager:$1 in
{rows}
  esac
}}
missing= packages=
for tool do
  command -v "$tool" >/dev/null 2>&1 && continue
  missing="$missing $tool"
  package=$(package_of "$tool")
  case " $packages " in *" $package "*) ;; *) packages="$packages $package" ;; esac
done
"""

_CHECK = """
if [ -z "$missing" ]; then echo farm: ok
elif [ -z "$manager" ]; then echo "farm: cannot none of {managers} is there: install by hand what has$missing"
else
  for tool in $missing; do echo "farm: change $manager install $(package_of "$tool"), for $tool"; done
fi
"""

_CHANGE = """
[ -n "$missing" ] || exit 0
case $manager in
{rows}
  *) echo "no package manager" >&2; exit 1 ;;
esac
"""


def _missing() -> str:
    rows = [
        f"    {manager}:{tool}) echo {package} ;;"
        for manager, (_, packages) in MANAGERS.items()
        for tool, package in packages.items()
    ]
    return _MISSING.format(managers=" ".join(MANAGERS), rows="\n".join(rows))


def check(aim: Aim) -> tuple[str, ...]:
    script = _missing() + _CHECK.format(managers=", ".join(MANAGERS))
    return ("sh", "-c", script, NAME_OF_SCRIPT, *tools_for(aim))


def change(aim: Aim) -> tuple[str, ...]:
    rows = "\n".join(f"  {manager}) {install} ;;" for manager, (install, _) in MANAGERS.items())
    return ("sh", "-c", _missing() + _CHANGE.format(rows=rows), NAME_OF_SCRIPT, *tools_for(aim))
