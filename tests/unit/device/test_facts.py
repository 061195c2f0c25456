"""What devices say of their state. The texts are what such devices print, shortened."""

from __future__ import annotations

import pytest

from farm.device.facts.nvidia import parse_gpus, throttle_reasons
from farm.device.probe import parse_facts
from farm.model.device import CoreCluster, Facts, Gpu, PowerSupply


def cpu(core: int, **files: object) -> str:
    """Lines of one core's files; `midr` and `capacity` are short for theirs."""
    places = {"midr": "regs/identification/midr_el1", "capacity": "cpu_capacity"}
    return "".join(
        f"devices/system/cpu/cpu{core}/{places.get(name, f'cpufreq/{name}')}:{text}\n"
        for name, text in files.items()
    )


def zone(number: int, name: str, text: str) -> str:
    folder = f"class/thermal/thermal_zone{number}"
    return f"{folder}/type:{name}\n{folder}/temp:{text}\n"


# A Radxa ROCK 5B: kernel 5.10 of the maker, a cpuset of version 2, a fan.
ROCK = (
    "== uname\nLinux rock-5b 5.10.110-37-rockchip aarch64\n== files\n"
    "/proc/cpuinfo:processor\t: 0\n/proc/cpuinfo:Features\t: fp asimd asimddp\n"
    "/proc/self/status:Cpus_allowed_list:\t0-7\n"
    "devices/system/cpu/online:0-7\n"
    "devices/system/cpu/cpu0/cpufreq/scaling_driver:cpufreq-dt\n"
    "devices/system/cpu/cpu0/cpufreq/scaling_available_governors:conservative ondemand userspace powersave "
    "performance schedutil \n"
    + "".join(cpu(n, midr="0x00000000412fd050", capacity=414, cpuinfo_max_freq=1800000) for n in range(4))
    + "".join(cpu(n, midr="0x00000000414fd0b0", capacity=1024, cpuinfo_max_freq=2400000) for n in (4, 5))
    + "".join(cpu(n, midr="0x00000000414fd0b0", capacity=1004, cpuinfo_max_freq=2352000) for n in (6, 7))
    + zone(0, "soc-thermal", "45307")
    + zone(1, "bigcore0-thermal", "44384")
    + "fs/cgroup/user.slice/user-1000.slice/session-3.scope/cpu.max:max 100000\n"
    "fs/cgroup/user.slice/cpu.max:250000 100000\n"
    "fs/cgroup/user.slice/memory.max:4294967296\n"
    "fs/cgroup/cpuset.cpus.effective:0-7\n"
    "devices/system/clocksource/clocksource0/current_clocksource:arch_sys_counter\n"
    "== tree\nRadxa ROCK 5B\nradxa,rock-5b rockchip,rk3588\n"
)

# A phone with three kinds of cores, in Termux: no temperatures, no kernel of its own to ask for frequencies.
PHONE = (
    "== uname\nLinux localhost 5.4.147-qgki-g0ab aarch64\n== files\n"
    + "".join(
        f"/proc/cpuinfo:processor\t: {n}\n/proc/cpuinfo:Features\t: fp asimd asimddp\n"
        f"/proc/cpuinfo:CPU implementer\t: 0x41\n/proc/cpuinfo:CPU part\t: {part}\n"
        for n, part in enumerate(["0xd05"] * 4 + ["0xd41"] * 3 + ["0xd44"])
    )
    + "/proc/cpuinfo:Hardware\t: Qualcomm Technologies, Inc SM8350\n"
    "/proc/self/status:Cpus_allowed_list:\t0-7\n"
    "devices/system/cpu/online:0-7\n"
    + "".join(
        cpu(core, capacity=capacity, cpuinfo_max_freq=khz)
        for core, (capacity, khz) in enumerate(
            [(326, 1804800)] * 4 + [(871, 2419200)] * 3 + [(1024, 2841600)]
        )
    )
    + "class/power_supply/battery/type:Battery\nclass/power_supply/battery/status:Discharging\n"
    "class/power_supply/battery/capacity:78\nclass/power_supply/usb/type:USB\nclass/power_supply/usb/online:0\n"
    "fs/cgroup/cpuset/foreground/cpuset.effective_cpus:0-6\n"
    "== getprop\n[ro.build.version.release]: [12]\n[ro.product.manufacturer]: [Xiaomi]\n"
    "[ro.product.model]: [M2011K2G]\n[ro.soc.manufacturer]: [Qualcomm]\n[ro.soc.model]: [SM8350]\n"
)

VIRTUAL = (
    "== uname\nLinux vm 6.1.0-18-amd64 x86_64\n== files\n"
    "/proc/cpuinfo:processor\t: 0\n/proc/cpuinfo:model name\t: Intel(R) Xeon(R) CPU @ 2.80GHz\n"
    "/proc/cpuinfo:flags\t\t: fpu avx2 hypervisor\n"
    "devices/system/cpu/online:0-3\ndevices/system/cpu/smt/active:1\n"
    "class/dmi/id/sys_vendor:QEMU\nclass/dmi/id/product_name:Standard PC (i440FX + PIIX, 1996)\n"
    "fs/cgroup/cpu,cpuacct/kubepods/cri-containerd:0ab/cpu.cfs_quota_us:150000\n"
    "fs/cgroup/cpu,cpuacct/kubepods/cri-containerd:0ab/cpu.cfs_period_us:100000\n"
    "fs/cgroup/cpu,cpuacct/kubepods/cpu.cfs_quota_us:-1\n"
    "fs/cgroup/cpu,cpuacct/kubepods/cpu.cfs_period_us:100000\n"
    "fs/cgroup/memory/memory.limit_in_bytes:9223372036854771712\n"
    "devices/system/clocksource/clocksource0/current_clocksource:kvm-clock\n"
)

# A laptop: two kinds of cores, each with its own highest clock; on its battery.
LAPTOP = (
    "== files\n/proc/cpuinfo:processor\t: 0\n/proc/cpuinfo:flags\t\t: fpu avx2\n"
    "devices/system/cpu/online:0-5\ndevices/cpu_core/cpus:0-3\ndevices/cpu_atom/cpus:4-5\n"
    "devices/system/cpu/intel_pstate/no_turbo:1\n"
    + "".join(cpu(n, cpuinfo_max_freq=khz) for n, khz in enumerate((4700000, 4700000, 4900000, 4900000, 3500000, 3500000)))
    + cpu(0, scaling_max_freq=2000000, cpuinfo_min_freq=400000)
    + "class/dmi/id/sys_vendor:LENOVO\nclass/dmi/id/product_name:21CBCTO1WW\n"
    "class/power_supply/AC/type:Mains\nclass/power_supply/AC/online:0\n"
    "class/power_supply/BAT0/type:Battery\nclass/power_supply/BAT0/capacity:54\n"
)  # fmt: skip


def test_a_board_tells_its_chip_its_kinds_of_cores_and_its_limits() -> None:
    facts = parse_facts(ROCK)
    assert (facts.board, facts.soc) == ("Radxa ROCK 5B", "rockchip,rk3588")
    assert facts.clusters == (
        CoreCluster((0, 1, 2, 3), "Cortex-A55", 414, 1800000),
        CoreCluster((4, 5, 6, 7), "Cortex-A76", 1024, 2400000),
    )
    assert (facts.cpu_limit_cores, facts.memory_limit_bytes) == (2.5, 4 << 30)
    assert facts.cpuset == tuple(range(8))
    assert facts.available_governors[-1] == "schedutil"
    assert (facts.frequency_driver, facts.clock_source) == ("cpufreq-dt", "arch_sys_counter")
    assert (facts.virtual, facts.smt, facts.turbo, facts.unreadable) == (None, None, None, ())


def test_a_phone_tells_its_kinds_of_cores_and_its_battery() -> None:
    facts = parse_facts(PHONE)
    assert (facts.board, facts.soc) == ("Xiaomi M2011K2G", "Qualcomm SM8350")
    assert [(one.name, one.cores) for one in facts.clusters] == [
        ("Cortex-A55", (0, 1, 2, 3)),
        ("Cortex-A78", (4, 5, 6)),
        ("Cortex-X1", (7,)),
    ]
    assert facts.cpuset == tuple(range(7))
    assert facts.power_supplies == (
        PowerSupply("battery", "Battery", status="Discharging", capacity_percent=78),
        PowerSupply("usb", "USB", is_online=False),
    )


def test_a_virtual_machine_is_known_by_its_flag_or_by_its_firmware() -> None:
    facts = parse_facts(VIRTUAL)
    assert facts.virtual == "Standard PC (i440FX + PIIX, 1996)"
    assert (facts.smt, facts.cpu_limit_cores, facts.memory_limit_bytes) == (True, 1.5, None)
    assert facts.clusters == (CoreCluster((0, 1, 2, 3)),)
    arm = "== files\nclass/dmi/id/sys_vendor:QEMU\nclass/dmi/id/product_name:KVM Virtual Machine\n"
    assert parse_facts(arm).virtual == "KVM Virtual Machine"
    metal = "== files\nclass/dmi/id/sys_vendor:Amazon EC2\nclass/dmi/id/product_name:c7g.metal\n"
    assert parse_facts(metal).virtual is None
    assert parse_facts("== files\nhypervisor/type:xen\n").virtual == "xen"


def test_a_laptop_on_its_battery_with_a_limit_and_without_turbo() -> None:
    facts = parse_facts(LAPTOP)
    assert [(one.name, one.cores, one.max_frequency_khz) for one in facts.clusters] == [
        ("efficiency", (4, 5), 3500000),
        ("performance", (0, 1, 2, 3), 4900000),
    ]
    assert (facts.turbo, facts.virtual, facts.board) == (False, None, "LENOVO 21CBCTO1WW")
    assert (facts.frequency_limits_khz, facts.min_frequency_khz) == (((0, 2000000),), ((0, 400000),))
    assert facts.power_supplies[0] == PowerSupply("AC", "Mains", is_online=False)


@pytest.mark.parametrize("text", ["-273000", "0", "2147483648", "-274000", "1e3", "nan", "", "NA"])
def test_a_thermometer_that_lies_is_named_and_not_shown(text: str) -> None:
    facts = parse_facts("== files\n" + zone(0, "good", "40000") + zone(1, "odd one", text))
    assert facts.temperatures_c == (("good", 40.0),)
    assert facts.unreadable == ("temperature of odd one",)


def test_clocks_and_batteries_that_lie_are_named_and_not_shown() -> None:
    lying = "".join(cpu(core, cpuinfo_max_freq=0) for core in (0, 1)) + cpu(2, cpuinfo_max_freq=1800000)
    facts = parse_facts(f"== files\n{lying}class/power_supply/b/capacity:101\n")
    assert facts.max_frequency_khz == ((2, 1800000),)
    assert facts.unreadable == ("highest frequency of core 0, 1", "charge of b")
    assert facts.power_supplies == (PowerSupply("b"),)


@pytest.mark.parametrize(
    "files",
    [
        "devices/system/cpu/online:0-3\n",
        "devices/system/cpu/online:0-3\n" + cpu(0, capacity=1024, cpuinfo_max_freq=1800000),
        "",
    ],
)
def test_kinds_of_cores_are_not_guessed(files: str) -> None:
    assert parse_facts(f"== uname\nLinux b 5.4 armv7l\n== files\n{files}").clusters == ()


def test_only_cores_that_may_be_used_are_in_a_cluster() -> None:
    facts = parse_facts(ROCK.replace("Cpus_allowed_list:\t0-7", "Cpus_allowed_list:\t2-5"))
    assert [one.cores for one in facts.clusters] == [(2, 3), (4, 5)]


H200 = """\
name, driver_version, memory.total [MiB], compute_cap, memory.used [MiB], pstate, persistence_mode, clocks.current.sm [MHz], clocks.max.sm [MHz], clocks.current.memory [MHz], temperature.gpu, power.draw [W], power.limit [W], clocks_event_reasons.active
NVIDIA H200, 580.159.04, 143771 MiB, 9.0, 0 MiB, P0, Enabled, 345 MHz, 1980 MHz, 3201 MHz, 28, 78.16 W, 700.00 W, 0x0000000000000001
"""
OLD = """\
Field "clocks_event_reasons.active" is not a valid field to query.

name, driver_version, memory.total [MiB], compute_cap, memory.used [MiB], pstate, persistence_mode, clocks.current.sm [MHz], clocks.max.sm [MHz], clocks.current.memory [MHz], temperature.gpu, power.draw [W], power.limit [W], clocks_throttle_reasons.active
Tesla T4, 470.57.02, 15109 MiB, 7.5, 2 MiB, P8, Disabled, 300 MHz, 1590 MHz, 405 MHz, 84, 70.10 W, 70.00 W, 0x0000000000000024
GeForce GT 710, 470.57.02, 2000 MiB, 3.5, [N/A], [Unknown Error], [Not Supported], [Not Supported], [N/A], 405 MHz, 0, [Not Supported], [GPU requires reset], Active
"""


def test_a_gpu_tells_its_clocks_its_power_and_what_holds_it_down() -> None:
    assert parse_gpus(H200.splitlines()) == (
        Gpu(
            "NVIDIA H200",
            "580.159.04",
            "9.0",
            143771 << 20,
            0,
            345,
            1980,
            3201,
            "P0",
            True,
            28,
            78.16,
            700.0,
            ("idle",),
        ),
    )


def test_what_a_gpu_does_not_tell_is_not_known() -> None:
    turing, old = parse_gpus(OLD.splitlines())
    assert turing.throttle_reasons == ("power-cap", "software-thermal")
    assert turing.is_persistent is False
    assert old == Gpu("GeForce GT 710", "470.57.02", "3.5", 2000 << 20, memory_clock_mhz=405)


def test_the_shortest_question_and_texts_that_are_no_answer() -> None:
    text = "name, driver_version, memory.total [MiB]\nTesla K80, 418.87.00, 11441 MiB\n"
    assert parse_gpus(text.splitlines()) == (Gpu("Tesla K80", "418.87.00", None, 11441 << 20),)
    errors = (
        "No devices were found",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest",
        "Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU",
        "a, b, c, d", '"', "name", "", ",,,", "NVIDIA H200, 580.1, [N/A], [N/A]",
    )  # fmt: skip
    assert parse_gpus(errors) == ()
    assert parse_gpus(["name"] * 300) == ()


@pytest.mark.parametrize(
    ("mask", "reasons"),
    [
        ("0x0", ()),
        ("0x0000000000000060", ("software-thermal", "hardware-thermal")),
        ("0x1001", ("idle", "0x1000")),
    ]
    + [(text, None) for text in ("", "[N/A]", "Active", "0xg", "0x" + "f" * 17, "1")],
)
def test_reasons_of_throttling(mask: str, reasons: tuple[str, ...] | None) -> None:
    assert throttle_reasons(mask) == reasons


def test_nothing_is_told_of_a_device_that_tells_nothing() -> None:
    assert parse_facts("== files\n== tree\n== nvidia\n") == Facts()
