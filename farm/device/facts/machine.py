"""What the machine is beside its cores: board, chip, virtual or not, and the limits of a process in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from farm.device.facts.text import Files, core_ids, first, number, text_of

DMI = "/sys/class/dmi/id"
GROUP = "/sys/fs/cgroup/"

VIRTUAL_MACHINES = (
    "qemu", "kvm", "vmware", "virtualbox", "innotek", "xen", "bochs", "parallels", "bhyve", "openstack",
    "firecracker", "virtual machine", "google compute engine", "amazon ec2", "alibaba cloud", "digitalocean",
    "hetzner vserver", "apple virtualization",
)  # fmt: skip
"""Parts of what the firmware of virtual machines calls its maker or product, in small letters."""

BARE_METAL = ("metal",)
"""Parts of products that are none although their maker lends virtual ones, too."""

_COMPATIBLE = re.compile(r"[\w.+-]+,[\w.+-]+")
_NOT_TOLD = frozenset(
    {"", "to be filled by o.e.m.", "default string", "system product name", "none", "unknown"}
)


def board_of(files: Files, tree: Sequence[str], properties: Mapping[str, str]) -> str | None:
    """By the device tree, Android, /proc/cpuinfo (Raspberry Pi) or the firmware."""
    android = " ".join(
        filter(None, (properties.get("ro.product.manufacturer"), properties.get("ro.product.model")))
    )
    firmware = _told(files, f"{DMI}/product_name")
    maker = _told(files, f"{DMI}/sys_vendor")
    if firmware and maker and not firmware.lower().startswith(maker.lower()):
        firmware = f"{maker} {firmware}"
    model = tree[0] if tree and not _COMPATIBLE.fullmatch(tree[0].split(" ")[0]) else None
    return text_of(model or android or _cpuinfo(files, "Model") or firmware)


def soc_of(files: Files, tree: Sequence[str], properties: Mapping[str, str]) -> str | None:
    """By Android, the kernel's list of chips, or the most general name in the device tree that has a maker:
    the last of `radxa,rock-5b rockchip,rk3588`.
    """
    android = " ".join(filter(None, (properties.get("ro.soc.manufacturer"), properties.get("ro.soc.model"))))
    if android and "ro.soc.model" in properties:
        return text_of(android)
    compatible = [name for name in (tree[-1].split() if tree else []) if _COMPATIBLE.fullmatch(name)]
    chip = " ".join(
        filter(None, (_told(files, "/sys/devices/soc0/family"), _told(files, "/sys/devices/soc0/soc_id")))
    )
    return text_of(
        (compatible[-1] if compatible else None)
        or chip
        or properties.get("ro.board.platform")
        or _cpuinfo(files, "Hardware")
    )


def virtual_of(files: Files, cpu_features: Sequence[str]) -> str | None:
    """What says that it is a virtual machine; None where nothing does."""
    hypervisor = _told(files, "/sys/hypervisor/type")
    names = [_told(files, f"{DMI}/{name}") for name in ("product_name", "sys_vendor")]
    text = " ".join(filter(None, names)).lower()
    by_firmware = any(word in text for word in VIRTUAL_MACHINES) and not any(
        word in text for word in BARE_METAL
    )
    if "hypervisor" in cpu_features or hypervisor or by_firmware:
        return next(filter(None, (hypervisor, *names)), None) or "hypervisor"
    return None


def turbo_of(files: Files) -> bool | None:
    """Whether the processor may go above its nominal frequency; None where the kernel has no switch."""
    no_turbo = first(files.get("/sys/devices/system/cpu/intel_pstate/no_turbo", []))
    boost = first(files.get("/sys/devices/system/cpu/cpufreq/boost", []))
    return {"0": True, "1": False}.get(no_turbo, {"0": False, "1": True}.get(boost))


def smt_of(files: Files) -> bool | None:
    """Whether several threads share a core now."""
    return {"0": False, "1": True}.get(first(files.get("/sys/devices/system/cpu/smt/active", [])))


def cpuset_of(files: Files) -> tuple[int, ...]:
    """The cores of the innermost control group that says so."""
    found = (
        (path, core_ids(first(lines)))
        for path, lines in files.items()
        if path.startswith(GROUP) and path.endswith(("/cpuset.cpus.effective", "/cpuset.effective_cpus"))
    )
    return max(found, key=lambda one: one[0].count("/"), default=("", ()))[1]


def cpu_limit_cores(files: Files) -> float | None:
    """The least of all control groups that the agent is in, as a number of cores (cpu.max; version 1:
    cpu.cfs_quota_us and cpu.cfs_period_us).
    """
    found = []
    for path, lines in files.items():
        if not path.startswith(GROUP):
            continue
        folder, _, name = path.rpartition("/")
        if name == "cpu.max":
            quota, _, period = first(lines).partition(" ")
        elif name == "cpu.cfs_quota_us":
            quota, period = first(lines), first(files.get(f"{folder}/cpu.cfs_period_us", []))
        else:
            continue
        of_us, in_us = number(quota), number(period)
        if of_us and in_us:
            found.append(round(of_us / in_us, 3))
    return min(found, default=None)


def memory_limit_bytes(files: Files, memory_bytes: int | None) -> int | None:
    """The least of all control groups; none that is more than the memory there is."""
    found = [
        limit
        for path, lines in files.items()
        if re.fullmatch(r"/sys/fs/cgroup/.*(memory\.max|memory\.limit_in_bytes)", path)
        and (limit := number(first(lines)))
    ]
    least = min(found, default=None)
    return least if least is not None and least < (memory_bytes or 1 << 60) else None


def _told(files: Files, path: str) -> str | None:
    text = text_of(first(files.get(path, [])))
    return None if text is None or text.lower() in _NOT_TOLD else text


def _cpuinfo(files: Files, wanted: str) -> str | None:
    for line in files.get("/proc/cpuinfo", []):
        name, _, value = line.partition(":")
        if name.strip() == wanted:
            return text_of(value.strip())
    return None
