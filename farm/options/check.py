"""Problems of an option set: before any device is touched, and after the probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from farm.model.device import Device, Facts, RuntimeKind
from farm.model.options import OptionSet, Value
from farm.options.catalogue import BY_NAME
from farm.options.catalogue.device import WHEEL_COMPUTE_CAPABILITIES
from farm.options.cores import CoreLabels, missing_cores, thread_count
from farm.options.lookup import normal
from farm.options.row import Option, Works
from farm.options.rules import RULES, Act

Interface = Literal["mdl", "lite"]
ModelKind = Literal["mdl", "lite", "testcase"]
"""Kinds of model file: `testcase` is a graph with test data (mgbtest0), which only MDL reads."""


@dataclass(frozen=True)
class Findings:
    """The findings of `check`, each one sentence with the alternative in parentheses."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def interface_of(options: OptionSet, model_kind: ModelKind | None) -> Interface | None:
    """The interface that the native program will take: `--lite` and `--mdl` over the kind of the file."""
    if "lite" in options:
        return "lite"
    if model_kind == "testcase" or ("mdl" in options and model_kind is None):
        return "mdl"
    return model_kind


def check(options: OptionSet, *, runtime: RuntimeKind, model_kind: ModelKind | None) -> Findings:
    """All findings about an option set that need no device.

    A refusal means that the program would ignore an option, crash, hang or give misleading results.
    """
    interface = interface_of(options, model_kind)
    found: dict[Act, list[str]] = {act: [] for act in Act}
    rows = [BY_NAME[name] for name, _ in options.values]
    for row in rows:
        support = row.support(runtime)
        if support.works is Works.NO:
            found[Act.REFUSE].append(f"--{row.name} is not available: {support.why}")
        if row.not_lite and runtime is RuntimeKind.NATIVE and interface == "lite":
            found[Act.REFUSE].append(
                f"--{row.name} does not support Lite models or --lite: {row.not_lite} "
                "(remove --lite; for a Lite model use the wheel runtime)"
            )
        if row.not_lite and runtime is RuntimeKind.WHEEL and "lite" in options and not row.wheel_with_lite:
            found[Act.REFUSE].append(
                f"--{row.name} cannot be combined with --lite: {row.not_lite} (remove --lite)"
            )
    if interface == "lite" and model_kind == "testcase":
        found[Act.REFUSE].append(
            "--lite does not support models with test data: invalid model format (remove --lite)"
        )
    for rule in RULES:
        if rule.applies(options, runtime, interface):
            found[rule.act].append(rule.sentence(options))
    return Findings(*(tuple(found[act]) for act in Act))


def applicable(
    options: OptionSet, *, runtime: RuntimeKind, facts: Facts, cores: CoreLabels = ()
) -> str | None:
    """Why an option set does not apply to a device, None where it does or where the facts are not known.

    `cores` are the device's core labels.
    """
    for name, value in options.values:
        reason = _missing(BY_NAME[name], value, runtime, facts)
        if reason:
            return f"--{name}: {reason}"
    threads = thread_count(options)
    if facts.core_ids and threads > len(facts.core_ids):
        return f"{threads} threads on {len(facts.core_ids)} cores"
    return missing_cores(options, facts, cores)


MAX_SPIN = "MGB_WORKER_MAX_SPIN"
"""MegEngine's variable: how often a thread looks for work before it sleeps."""
ONE_CORE = (
    "on a single core MegEngine's threads take time from each other by waiting: the first inference can last "
    f"for seconds (--cpu-default has one thread only; or set {MAX_SPIN} to 0 in the device's env)"
)


def advice(options: OptionSet, *, facts: Facts, device: Device) -> tuple[str, ...]:
    """Notes on options that work on this device but were made for another kind, or are slow here."""
    here = processors(facts)
    spins = device.runtime.kind is RuntimeKind.WHEEL and len(facts.core_ids) == 1
    is_told = spins and options.get("cpu-default") is None and MAX_SPIN not in dict(device.environment)
    return (ONE_CORE,) * is_told + tuple(
        f"--{name} was made for {' or '.join(row.needs.meant_for)}; it works here but is probably not faster"
        for name, _ in options.values
        if (row := BY_NAME[name]).needs.meant_for and here and not here & set(row.needs.meant_for)
    )


def processors(facts: Facts) -> frozenset[str]:
    """The kinds of processor on a device, as `Needs.meant_for` names them."""
    machine = (facts.architecture or "").lower()
    found = {"nvidia"} if facts.gpus else set()
    if machine.startswith(("arm", "aarch64")):
        found |= {"arm", "mobile-gpu"}
    if machine in {"x86_64", "amd64", "i386", "i686"}:
        found.add("x86")
    return frozenset(found)


def unknown_to(options: OptionSet, flags: frozenset[str]) -> tuple[str, ...]:
    """Options that a program does not have, by the flags that its `--help` lists."""
    known = {normal(flag) for flag in flags}
    return tuple(
        name
        for name, _ in options.values
        if BY_NAME[name].flag is None or normal(BY_NAME[name].flag or "") not in known
    )


def _missing(row: Option, value: Value, runtime: RuntimeKind, facts: Facts) -> str | None:
    """What an option needs and the device does not have."""
    support = row.support(runtime)
    if support.works is Works.NO:
        return support.why
    if runtime in row.needs.nvidia_gpu and row.needs.gpu_value in (None, value):
        if not facts.gpus:
            return "the device has no NVIDIA GPU"
        capability = facts.gpus[0].compute_capability
        if runtime is RuntimeKind.WHEEL and capability and capability not in WHEEL_COMPUTE_CAPABILITIES:
            return (
                f"the wheel of MegEngine 1.13 does not support {facts.gpus[0].name} (compute capability "
                f"{capability}; it supports {', '.join(WHEEL_COMPUTE_CAPABILITIES)}); use a native build"
            )
    features = row.needs.cpu_features
    if features and facts.cpu_features and not set(features) & set(facts.cpu_features):
        return f"the CPU has no {' or '.join(features)}"
    return None
