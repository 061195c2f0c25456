"""Rules on what a device is and has, from its facts and its entry in the inventory."""

from __future__ import annotations

from collections.abc import Iterator

from farm.device.settings.pins import wanted
from farm.errors import DeviceError
from farm.model.device import RuntimeKind
from farm.model.limits.disk import Portion
from farm.plan.programs import HINTS
from farm.run.health.nouns import Look, Said
from farm.run.health.troubles import PREPARE
from farm.run.health.use import in_words
from farm.run.programs.platform import device_python, fitting_problems, require_wheel_platform

LOW_DISK = Portion(10, 1_000_000_000)
"""Nearly full: less than a tenth and less than 1 GB is left; or less than the device's reserve."""
LOW_MEMORY = Portion(10, 256_000_000)
CLOCK_OFF_S = 60.0
SHELLS = frozenset({"dash", "bash", "busybox", "mksh"})
IDLE_LOAD = 0.5
"""Of the load of one minute, for each core: below it a device is idle."""
HOT_C = 80.0
"""An idle device that is as warm as this throttles soon; the inventory may say otherwise (cooldown.to_c)."""


def wrong_runtime(look: Look) -> Iterator[Said]:
    return iter(()) if look.has_builds else _wrong_runtime(look)


def wrong_runtime_beside_builds(look: Look) -> Iterator[Said]:
    return _wrong_runtime(look) if look.has_builds else iter(())


def _wrong_runtime(look: Look) -> Iterator[Said]:
    """A program that is on the device already is looked at by a bench: that takes the lease."""
    facts, device = look.facts, look.device
    if facts is None:
        return
    if device.runtime.kind is RuntimeKind.WHEEL:
        try:
            require_wheel_platform(device, facts)
            device_python(device, facts)
        except DeviceError as error:
            prepare = f"{PREPARE.format(name=device.name)} packages    or "
            mends = error.cause == "python-missing"
            yield {"what": error.message, "hint": f"{prepare if mends else ''}{error.hint}"}
    if look.files:
        for problem in fitting_problems(device.name, facts, device.runtime, look.files):
            yield {"what": f"{problem.key}: {problem.text}", "hint": HINTS[problem.cause]}


def full_disk(look: Look) -> Iterator[Said]:
    from humanize import naturalsize

    if look.facts is None:
        return
    disk_bytes, free_bytes = look.facts.disk_bytes, look.facts.disk_free_bytes
    low_bytes = max(LOW_DISK.of(disk_bytes) or 0, look.device.store.reserve.of(disk_bytes) or 0)
    if disk_bytes is not None and free_bytes is not None and free_bytes < low_bytes:
        yield {
            "workdir": look.device.workdir,
            "left": f"{naturalsize(free_bytes)} of {naturalsize(disk_bytes)}",
        }


def low_memory(look: Look) -> Iterator[Said]:
    from humanize import naturalsize

    if look.facts is None:
        return
    whole, left = look.facts.memory_bytes, look.facts.memory_available_bytes
    if whole is not None and left is not None and left < (LOW_MEMORY.of(whole) or 0):
        yield {"left": f"{naturalsize(left, binary=True)} of {naturalsize(whole, binary=True)}"}


def wrong_clock(look: Look) -> Iterator[Said]:
    off_s = look.clock_off_s
    if off_s is not None and abs(off_s) >= CLOCK_OFF_S:
        yield {"off": in_words(off_s), "side": "before" if off_s > 0 else "behind"}


def odd_shell(look: Look) -> Iterator[Said]:
    shell = look.facts.shell if look.facts else None
    if shell and shell.rpartition("/")[2].partition(" ")[0] not in SHELLS:
        yield {"shell": shell}


def no_timeout(look: Look) -> Iterator[Said]:
    if look.facts is not None and look.facts.tools and "timeout" not in look.facts.tools:
        yield {}


def hot(look: Look) -> Iterator[Said]:
    facts = look.facts
    if facts is None or look.held is not None or not facts.temperatures_c:
        return
    if (facts.load_average_1m or 0.0) > IDLE_LOAD * max(len(facts.core_ids), 1):
        return
    zone, celsius = max(facts.temperatures_c, key=lambda one: one[1])
    to_c = look.device.cooldown.to_c
    if celsius > (HOT_C if to_c is None else to_c):
        todo = f"look at its cooling; farm devices check {look.device.name} --watch    shows whether it falls"
        if to_c is not None:
            todo = f"{todo}; every timed round waits for cooldown: {{to_c: {to_c:g}}} of the inventory"
        yield {"zone": zone, "celsius": f"{celsius:.0f} C", "todo": todo}


def on_battery(look: Look) -> Iterator[Said]:
    supplies = look.facts.power_supplies if look.facts else ()
    batteries = [one for one in supplies if one.kind == "Battery" and one.status == "Discharging"]
    if batteries and not any(one.is_online for one in supplies if one.kind != "Battery"):
        percent = batteries[0].capacity_percent
        yield {"charge": "charge not known" if percent is None else f"{percent} %"}


def lying_sensors(look: Look) -> Iterator[Said]:
    if look.facts is not None and look.facts.unreadable:
        yield {"names": ", ".join(look.facts.unreadable)}


def no_right_to_pin(look: Look) -> Iterator[Said]:
    for one in look.forbidden:
        yield {"setting": one.path.rpartition("/")[2], "why": one.why}


def impossible_pin(look: Look) -> Iterator[Said]:
    if look.device.pin is not None and look.facts is not None:
        for text in wanted(look.device.pin, look.device, look.facts).refused:
            yield {"what": text}


def not_restored(look: Look) -> Iterator[Said]:
    for one in look.left:
        yield {"what": one.text, "prepare": f"{PREPARE.format(name=look.device.name)} governor"}
