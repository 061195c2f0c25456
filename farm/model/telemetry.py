"""What a device says of itself while it measures: samples, and their summary for one round."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CpuTime:
    """The kernel's count of processor time since the device was started, of all cores together, in jiffies.

    See proc(5), `/proc/stat`: `total` is everything, `idle` nothing to do (also while a disk is waited for),
    `steal` what other virtual machines took while there was something to do.
    """

    total: int
    idle: int
    steal: int

    @property
    def busy(self) -> int:
        return self.total - self.idle


@dataclass(frozen=True)
class Sample:
    """What a device said at one moment; None or empty where it did not, or where it was no such thing.

    `at_s`: seconds since the device was started. `own` is the processor time of the round's processes in
    jiffies, `running` the cores of its threads that were running. `throttles` count up, by name of the
    counter. `energy_uj` are counters of energy and `power_mw` powers, by sensor.
    """

    at_s: float
    cpu: CpuTime | None = None
    own: int | None = None
    cores: tuple[int, ...] = ()
    running: tuple[int, ...] = ()
    frequencies_khz: tuple[tuple[int, int], ...] = ()
    temperatures_c: tuple[tuple[str, float], ...] = ()
    throttles: tuple[tuple[str, int], ...] = ()
    energy_uj: tuple[tuple[str, int], ...] = ()
    power_mw: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class GpuSample:
    """A line of nvidia-smi beside a round. `reasons` is NVML's bit mask of why its clocks are not higher."""

    at_s: float
    gpu: int
    power_mw: float | None
    temperature_c: float | None
    clock_mhz: int | None
    reasons: int | None


@dataclass(frozen=True)
class Zone:
    """A sensor of temperature over a round, in degrees Celsius."""

    name: str
    start_c: float
    max_c: float
    end_c: float


@dataclass(frozen=True)
class CoreFrequency:
    """A core's frequency over a round, while the round's threads ran on it where that is known."""

    core: int
    min_khz: int
    median_khz: int
    max_khz: int


@dataclass(frozen=True)
class Energy:
    """Of the whole device, or of what the sensor is at, over a round.

    `mean_mw` is the mean power; `per_inference_mj` that power for the time of one inference. `resolution`
    says in words what the sensor can tell apart.
    """

    sensor: str
    resolution: str
    total_mj: float
    mean_mw: float
    per_inference_mj: float | None = None


@dataclass(frozen=True)
class Telemetry:
    """The summary of a round's samples; None or empty where the device did not say it.

    `others_cores`: how many cores' time others than the round took, `others_share` the same as a fraction of
    the device; `steal_share` is the fraction of the time with something to do that other virtual machines
    took. `cores` are those that its threads ran on. `throttle_events` counts what the device noted as slowed
    down. `notes` name what could not be believed.
    """

    samples: int
    duration_s: float
    temperatures: tuple[Zone, ...] = ()
    frequencies: tuple[CoreFrequency, ...] = ()
    others_cores: float | None = None
    others_share: float | None = None
    steal_share: float | None = None
    cores: tuple[int, ...] = ()
    throttle_events: int | None = None
    energy: tuple[Energy, ...] = ()
    notes: tuple[str, ...] = ()
