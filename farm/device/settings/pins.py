"""What a pin of the inventory means on a device, as files below /sys with their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from farm.cores import AUTOMATIC, automatic_cores, core_list
from farm.device.facts.text import core_ids, text_of
from farm.errors import RequestError
from farm.model.device import Device, Extreme, Facts, Pin

CPU = "devices/system/cpu"
NO_CPUFREQ = "the device does not let anyone set frequencies (no cpufreq)"


@dataclass(frozen=True)
class Setting:
    """One file of the kernel, by its path below /sys. `what` is `governor`, `frequency` or `turbo`; `core` is
    None for what is of all. `told` is what then holds, in words; None for a step on the way.
    """

    path: str
    value: str
    what: str
    core: int | None = None
    told: str | None = None


@dataclass(frozen=True)
class Refusal:
    """A setting that the device did not take: path, value and the reason in its own words."""

    path: str
    value: str
    why: str


@dataclass(frozen=True)
class Wanted:
    """What a pin asks for: settings in their order, and in words what of it cannot be asked for."""

    settings: tuple[Setting, ...]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pinned:
    """What became of a pin, in words: `governor performance (cores 0-7)`; `governor not pinned: ...`."""

    done: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def wanted(pin: Pin, device: Device, facts: Facts) -> Wanted:
    """The settings of a pin on a device with these facts."""
    settings: list[Setting] = []
    refused: list[str] = []
    steps = (
        ("governor", pin.governor, _governor),
        ("frequency", pin.frequency_khz, _frequency),
        ("turbo", pin.turbo, _turbo),
    )
    for what, value, of in steps:
        if value is None:
            continue
        try:
            cores = () if what == "turbo" else _cores(pin, device, facts)
            settings += tuple(of(pin, facts, cores))  # all of them, or none
        except RequestError as error:
            refused.append(f"{what} not pinned: {error.message}")
    return Wanted(tuple(settings), tuple(refused))


def outcome(asked: Wanted, refusals: Sequence[Refusal]) -> Pinned:
    """What became of it, by what the device refused."""
    why_of = {(one.path, one.value): one.why for one in refusals}
    failed = {(one.what, one.core) for one in asked.settings if (one.path, one.value) in why_of}
    done: dict[str, list[int]] = {}
    refused: dict[str, list[int]] = {}
    for one in asked.settings:
        cores = [] if one.core is None else [one.core]
        why = why_of.get((one.path, one.value))
        if why is not None:
            text = f"{one.what} not pinned: {text_of(why) or 'the device does not say why'}"
            refused.setdefault(text, []).extend(cores)
        elif one.told and (one.what, one.core) not in failed:
            done.setdefault(f"{one.what} {one.told}", []).extend(cores)
    return Pinned(
        tuple(_on(text, cores) for text, cores in done.items()),
        (*asked.refused, *(_on(text, cores) for text, cores in refused.items())),
    )


def held(asked: Wanted, refusals: Sequence[Refusal], facts: Facts) -> Facts:
    """The facts as they are while the settings hold: a number belongs to these."""
    refused = {(one.path, one.value) for one in refusals}
    governors, limits = dict(facts.governors), dict(facts.frequency_limits_khz)
    turbo = facts.turbo
    for one in asked.settings:
        if (one.path, one.value) in refused:
            continue
        if one.what == "turbo":
            turbo = one.told == "on"
        elif one.core is not None and one.what == "governor":
            governors[one.core] = one.value
        elif one.core is not None and one.path.endswith("scaling_max_freq"):
            limits[one.core] = int(one.value)
    return replace(
        facts,
        governors=tuple(governors.items()),
        frequency_limits_khz=tuple(limits.items()),
        turbo=turbo,
    )


def _on(text: str, cores: Sequence[int]) -> str:
    return f"{text} (cores {core_list(cores)})" if cores else text


def _cores(pin: Pin, device: Device, facts: Facts) -> tuple[int, ...]:
    """Those of the pin that have a frequency to set. Raises RequestError where there are none."""
    known = {core for core, _ in facts.governors}
    if not known:
        raise RequestError(NO_CPUFREQ)
    if pin.cores is None:
        return tuple(sorted(known))
    labels = dict(device.cores)
    if pin.cores in labels:
        named = labels[pin.cores]
    else:
        named = automatic_cores(pin.cores, facts) if pin.cores in AUTOMATIC else core_ids(pin.cores)
    missing = [core for core in named if core not in known]
    if missing or not named:
        raise RequestError(f"there is no frequency to set of core {core_list(missing) or pin.cores}")
    return named


def _governor(pin: Pin, facts: Facts, cores: Sequence[int]) -> Iterator[Setting]:
    governor, known = str(pin.governor), facts.available_governors
    if known and governor not in known:
        raise RequestError(f"the device has no governor {governor} (it has {', '.join(known)})")
    for core in cores:
        yield Setting(f"{CPU}/cpu{core}/cpufreq/scaling_governor", governor, "governor", core, governor)


def _frequency(pin: Pin, facts: Facts, cores: Sequence[int]) -> Iterator[Setting]:
    """First the lower limit goes down: on the way no limit may cross the other."""
    lowest, highest, asked = dict(facts.min_frequency_khz), dict(facts.max_frequency_khz), pin.frequency_khz
    for core in cores:
        if core not in lowest or core not in highest:
            raise RequestError(f"core {core} does not say which frequencies it has")
        low, high = lowest[core], highest[core]
        khz = low if asked == Extreme.MIN else high if asked == Extreme.MAX else int(asked or 0)
        if not low <= khz <= high:
            raise RequestError(f"core {core} does {low} to {high} kHz, not {khz}")
        folder = f"{CPU}/cpu{core}/cpufreq"
        yield Setting(f"{folder}/scaling_min_freq", str(low), "frequency", core)
        yield Setting(f"{folder}/scaling_max_freq", str(khz), "frequency", core)
        yield Setting(f"{folder}/scaling_min_freq", str(khz), "frequency", core, f"{khz} kHz")


def _turbo(pin: Pin, facts: Facts, _cores: Sequence[int]) -> Iterator[Setting]:
    if facts.turbo is None:
        raise RequestError("the device has no switch for it")
    told = "on" if pin.turbo else "off"
    if (facts.frequency_driver or "").startswith("intel"):
        yield Setting(f"{CPU}/intel_pstate/no_turbo", "0" if pin.turbo else "1", "turbo", None, told)
    else:
        yield Setting(f"{CPU}/cpufreq/boost", "1" if pin.turbo else "0", "turbo", None, told)
