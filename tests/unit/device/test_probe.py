"""What devices say of themselves. The texts are what such devices print, shortened."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.device.arm_cores import CORES
from farm.device.facts.text import core_ids
from farm.device.probe import parse_facts, pythons_to_ask
from farm.model.device import CoreCluster, Facts, Gpu, Python, Runtime, RuntimeKind

SERVER = """\

== uname
Linux gpu-1.lab 6.1.0-18-amd64 x86_64

== files
/etc/os-release:PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
/etc/os-release:NAME="Debian GNU/Linux"
/proc/cpuinfo:processor\t: 0
/proc/cpuinfo:vendor_id\t: GenuineIntel
/proc/cpuinfo:model name\t: Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz
/proc/cpuinfo:flags\t\t: fpu avx2 avx512f
/proc/cpuinfo:
/proc/cpuinfo:processor\t: 1
/proc/cpuinfo:model name\t: Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz
/proc/cpuinfo:flags\t\t: fpu avx2
/proc/meminfo:MemTotal:       131922940 kB
/proc/meminfo:MemFree:         1000 kB
/proc/meminfo:MemAvailable:   120000000 kB
/proc/loadavg:0.52 0.58 0.59 1/467 12345
/sys/devices/system/cpu/online:0-1
/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq:3500000
/sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq:3500000
/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor:performance
/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor:powersave
/sys/class/thermal/thermal_zone0/temp:47000
/sys/class/thermal/thermal_zone1/temp:-274000
/sys/class/thermal/thermal_zone10/temp:51000
/sys/class/thermal/thermal_zone0/type:x86_pkg_temp
/sys/class/thermal/thermal_zone1/type:broken zone
/sys/class/thermal/thermal_zone10/type:last zone
/sys/class/thermal/thermal_zone2/type:iwlwifi_1

== df
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/nvme0n1p1   479152832 12345678 442399744       3% /my home

== nvidia
NVIDIA H200, 570.86.15, 9.0, 143771 MiB
NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver

== pythons
/usr/bin/python3 cpython 3.11.2 numpy
/usr/bin/python3 cpython 3.11.2 numpy
/opt/py thon/python3.8 cpython 3.8.18 -
/usr/bin/python3.9 pypy 3.9.18 -
/home/x/.pyenv/shims/python3.7 pyenv: python3.7: command not found

== getprop

== libc
glibc 2.36

== shell
/usr/bin/dash

== tools
flock
setsid
"""

PHONE = """\
== uname
Linux localhost 4.19.191+ aarch64
== files
/proc/cpuinfo:processor\t: 0
/proc/cpuinfo:Features\t: fp asimd asimddp
/proc/cpuinfo:CPU implementer\t: 0x41
/proc/cpuinfo:CPU part\t: 0xd05
/proc/cpuinfo:processor\t: 4
/proc/cpuinfo:Features\t: fp asimd asimddp sve
/proc/cpuinfo:CPU implementer\t: 0x41
/proc/cpuinfo:CPU part\t: 0xd0b
/proc/cpuinfo:processor\t: 7
/proc/cpuinfo:Features\t: fp asimd asimddp
/proc/cpuinfo:CPU implementer\t: 0x99
/proc/cpuinfo:CPU part\t: 0xabc
/sys/devices/system/cpu/online:0-3,6,7
/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq:1803000
/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor:schedutil
== getprop
[ro.build.version.release]: [12]
[ro.product.manufacturer]: [Xiaomi]
[ro.product.model]: [M2012K11AC]
[ro.soc.model]: [SM8250]
== libc
== shell
mksh
"""

ROUTER = """\
== uname
Linux OpenWrt 5.15.150 armv7l
== files
/etc/os-release:PRETTY_NAME="OpenWrt 23.05.3"
/proc/cpuinfo:model name\t: ARMv7 Processor rev 1 (v7l)
/proc/cpuinfo:processor\t: 0
/proc/cpuinfo:Features\t: half thumb neon
/proc/cpuinfo:Hardware\t: Generic DT based system
== libc
musl libc (armhf)
Version 1.2.4
"""


def test_a_server_with_a_gpu():
    facts = parse_facts(SERVER)
    assert facts == Facts(
        hostname="gpu-1.lab",
        system="Linux",
        kernel="6.1.0-18-amd64",
        architecture="x86_64",
        os_name="Debian GNU/Linux 12 (bookworm)",
        libc="glibc 2.36",
        cpu_model="Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz",
        cpu_features=("avx2", "fpu"),
        core_ids=(0, 1),
        governors=((0, "performance"), (1, "powersave")),
        max_frequency_khz=((0, 3500000), (1, 3500000)),
        memory_bytes=131922940 * 1024,
        memory_available_bytes=120000000 * 1024,
        disk_bytes=479152832 * 1024,
        disk_free_bytes=442399744 * 1024,
        load_average_1m=0.52,
        clusters=(CoreCluster((0, 1), max_frequency_khz=3500000),),
        unreadable=("temperature of broken zone", "temperature of iwlwifi_1"),
        temperatures_c=(("x86_pkg_temp", 47.0), ("last zone", 51.0)),
        gpus=(Gpu("NVIDIA H200", "570.86.15", "9.0", 143771 << 20),),
        pythons=(
            Python("/usr/bin/python3", (3, 11, 2), has_numpy=True),
            Python("/opt/py thon/python3.8", (3, 8, 18), has_numpy=False),
        ),
        shell="/usr/bin/dash",
        tools=("flock", "setsid"),
    )


def test_a_phone():
    facts = parse_facts(PHONE)
    assert facts.os_name == "Android 12"
    assert facts.cpu_model == "Cortex-A55 + Cortex-A76 + ARM 0x99/0xabc"
    assert facts.cpu_features == ("asimd", "asimddp", "fp")
    assert facts.core_ids == (0, 1, 2, 3, 6, 7)
    assert facts.libc == "bionic"
    assert facts.memory_bytes is None


@pytest.mark.parametrize(
    ("allowed", "cores"), [("1", (1,)), ("0-3", (0, 1)), ("7", (0, 1)), ("x", (0, 1)), ("", (0, 1))]
)
def test_cores_that_the_agent_may_not_use_do_not_count(allowed: str, cores: tuple[int, ...]):
    status = f"/proc/self/status:Cpus_allowed_list:\t{allowed}\n"
    assert parse_facts(SERVER.replace("== files\n", f"== files\n{status}")).core_ids == cores


@pytest.mark.parametrize(
    ("told", "boot_id"),
    [
        ("92c41999-bffe-44f4-814c-64e431e17287\n", "92c41999-bffe-44f4-814c-64e431e17287"),
        ("", None),
        ("-\n", None),
        ("a" * 65 + "\n", None),
        ("<script>\n", None),
        ("Permission denied\n", None),
    ],
)
def test_the_start_of_a_device_is_known_unless_it_hides_it(told: str, boot_id: str | None):
    assert parse_facts(f"== boot\n{told}\n{SERVER}").boot_id == boot_id
    assert parse_facts(SERVER).boot_id is None


def test_a_router():
    facts = parse_facts(ROUTER)
    assert facts.libc == "musl"
    assert facts.cpu_model == "ARMv7 Processor rev 1 (v7l)"
    assert facts.core_ids == (0,)


@pytest.mark.parametrize(
    ("cores", "name"),
    [
        ([("0x41", "0xd42")], "Cortex-A78AE"),  # Orin
        ([("0x4e", "0x004")], "NVIDIA Carmel"),  # Xavier
        ([("0x4e", "0x003"), ("0x41", "0xd07")], "NVIDIA Denver-2 + Cortex-A57"),  # TX2
        ([("0x61", "0x022"), ("0x61", "0x023")], "Apple Icestorm-M1 + Apple Firestorm-M1"),
        ([("0x51", "0x001")], "Qualcomm Oryon"),
        (
            [("0x51", "0x805"), ("0x51", "0x804"), ("0x51", "0x804")],
            "Qualcomm Kryo-4XX-Silver + Qualcomm Kryo-4XX-Gold",
        ),
        ([("0xc0", "0xac3")], "Ampere-1"),
        ([("0x48", "0xd01")], "HiSilicon Kunpeng-920"),
        ([("0x46", "0x001")], "FUJITSU A64FX"),
        ([("0x43", "0x0af")], "Cavium ThunderX2-99xx"),
        ([("0x41", "0xc07"), ("0x41", "0xc0f")], "Cortex-A7 + Cortex-A15"),
        ([("0x41", "0xfff")], "ARM 0xfff"),
        ([("0x99", "0xd03")], "ARMv7 Processor rev 1 (v7l)"),
        ([("0x41" * 9, "-0x1")], "ARMv7 Processor rev 1 (v7l)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_cores_have_the_names_that_linux_has_for_them(cores, name):
    """The kernel's own `model name` and `Hardware` of an ARM processor name an architecture and a board."""
    lines = (
        f"/proc/cpuinfo:CPU implementer\t: {one}\n/proc/cpuinfo:CPU part\t: {two}\n" for one, two in cores
    )
    assert parse_facts(ROUTER.replace("== libc", "".join(lines) + "== libc")).cpu_model == name


def test_every_maker_of_arm_cores_that_linux_knows_is_in_the_table():
    assert len(CORES) == 19
    assert all(
        0 < maker < 256 and all(0 <= part < 4096 for part in cores) for maker, (_, cores) in CORES.items()
    )


def test_nothing_gives_no_facts():
    assert parse_facts("") == parse_facts("no section\n") == Facts()


@pytest.mark.parametrize(
    ("text", "libc"),
    [
        ("glibc 2.31", "glibc 2.31"),
        ("ldd (Debian GLIBC 2.36-9+deb12u4) 2.36", "glibc 2.36"),
        ("ldd (GNU libc) 2.17", "glibc 2.17"),
        ("musl libc (x86_64)", "musl"),
        ("something else", None),
        (
            "ld.so (Debian GLIBC 2.36-9+deb12u13) stable release version 2.36.\nCopyright (C) 2022",
            "glibc 2.36",
        ),
        (
            "ld.so (Gentoo 2.39-r6 (patchset 7)) stable release version 2.39.\nCopyright (C) 2024",
            "glibc 2.39",
        ),
        ("ld.so (crosstool-NG 1.26.0) stable release version 2.38.\nCopyright (C) 2023", "glibc 2.38"),
        ("ld.so (GNU libc) stable release version 2.38.\nCopyright (C) 2023", "glibc 2.38"),
    ],
)
def test_the_c_library_names_itself(text: str, libc: str | None):
    assert parse_facts(f"== libc\n{text}\n").libc == libc


@pytest.mark.parametrize(
    ("loaders", "libc"),
    [
        ("/lib/ld-musl-aarch64.so.1", "musl"),
        ("/lib/ld-linux-aarch64.so.1\n/lib/ld-2.31.so", "glibc 2.31"),
        ("/lib/ld-linux-armhf.so.3", "glibc"),
        ("/lib/ld-uClibc.so.0", None),
        ("", None),
    ],
)
def test_where_no_tool_names_the_c_library_its_loader_does(loaders: str, libc: str | None):
    facts = parse_facts(f"== loaders\n{loaders}\n== libc\n")
    assert (facts.libc, facts.loaders) == (libc, tuple(loaders.split()))
    assert parse_facts(f"== loaders\n{loaders}\n== libc\nldd (GNU libc) 2.17\n").libc == "glibc 2.17"


def test_whether_32_bits_run_is_known_or_not():
    said = {text: parse_facts(f"== narrow\n{text}\n").runs_32_bit for text in ("yes", "no", "perhaps", "")}
    assert said == {"yes": True, "no": False, "perhaps": None, "": None}


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("0", (0,)),
        ("0-3", (0, 1, 2, 3)),
        ("0-1,4,6-7", (0, 1, 4, 6, 7)),
        ("", ()),
        ("x", ()),
        ("3-", ()),
        ("0-99999", ()),
    ],
)
def test_core_lists(text: str, ids: tuple[int, ...]):
    assert core_ids(text) == ids


CPU0 = "/sys/devices/system/cpu/cpu0/cpufreq"
HOSTILE = [
    "== files\n/sys/devices/system/cpu/cpu²/cpufreq/scaling_governor:x\n",
    f"== files\n/sys/devices/system/cpu/cpu{'9' * 5000}/cpufreq/scaling_governor:x\n",
    f"== files\n{CPU0}/cpuinfo_max_freq:{'9' * 5000}\n{CPU0}/scaling_governor:\x1b[31m\u202e\n",
    "== files\n/proc/meminfo:MemTotal: " + "9" * 5000 + " kB\n",
    "== files\n/proc/loadavg:nan 0 0\n",
    "== files\n/proc/loadavg:inf 0 0\n",
    "== files\n/proc/loadavg:1e999 0 0\n",
    "== files\n/sys/devices/system/cpu/online:" + "0-9999," * 20_000 + "\n",
    "== files\n/proc/cpuinfo:processor : ²\n",
    "== files\nno colon\n:\n::\n",
    "== uname\n\x1b[31mLinux\x07 \u202e5.0 x\n<script>\n",
    "== nvidia\n" + "A" * 100_000 + ", 1, 9.0, x MiB\n",
    "== pythons\n/" + "p" * 100_000 + " cpython 3.8.1 -\n",
    "== getprop\n" + "[" * 100_000 + "\n",
    "== df\na b c d e f\n-1 -1 -1 -1 -1 -1\n",
    "== files\n"
    + "".join(
        f"/sys/class/thermal/thermal_zone{n}/{f}\n" for n in range(10_000) for f in ("temp:1", "type:z")
    ),
]


def check(facts: Facts) -> None:
    text = json.dumps(dataclasses.asdict(facts), allow_nan=False)
    assert len(text) < 1 << 20
    assert "\\u001b" not in text
    assert "\\u202e" not in text
    assert all(
        value is None or value >= 0
        for value in (facts.memory_bytes, facts.disk_free_bytes, facts.load_average_1m)
    )


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_device_gives_facts_that_can_be_stored(raw: str):
    check(parse_facts(raw))


SECTIONS = [
    "uname",
    "files",
    "tree",
    "df",
    "nvidia",
    "pythons",
    "getprop",
    "tools",
    "libc",
    "loaders",
    "narrow",
]
PATHS = [
    "/etc/os-release", "/proc/cpuinfo", "/proc/meminfo", "/proc/loadavg", "/sys/devices/system/cpu/online",
    f"{CPU0}/cpuinfo_max_freq", f"{CPU0}/scaling_governor", "/sys/class/thermal/thermal_zone0/temp",
    "/sys/class/thermal/thermal_zone0/type", "devices/system/cpu/cpu0/cpu_capacity", "devices/cpu_atom/cpus",
    "devices/system/cpu/cpu0/regs/identification/midr_el1", "class/power_supply/BAT0/capacity",
    "fs/cgroup/a:b/cpu.max", "fs/cgroup/cpu/cpu.cfs_quota_us", "fs/cgroup/memory.max", "class/dmi/id/product_name",
    "fs/cgroup/cpuset.cpus.effective", "devices/system/cpu/cpu0/cpufreq/scaling_max_freq",
]  # fmt: skip
LINES = st.one_of(
    st.text(max_size=40), st.builds("{}:{}".format, st.sampled_from(PATHS), st.text(max_size=40))
)


@given(st.lists(st.tuples(st.sampled_from(SECTIONS), st.lists(LINES, max_size=4))))
def test_no_text_breaks_the_parser(parts: list[tuple[str, list[str]]]):
    check(parse_facts("".join(f"== {name}\n" + "\n".join(lines) + "\n" for name, lines in parts)))


@pytest.mark.parametrize(
    ("runtime", "names"),
    [
        (Runtime(RuntimeKind.NATIVE, program="/x", python="python3"), ()),
        (Runtime(RuntimeKind.WHEEL, python="/opt/python3.8"), ("/opt/python3.8",)),
    ],
)
def test_a_device_is_asked_only_for_the_interpreter_that_it_is_to_use(
    runtime: Runtime, names: tuple[str, ...]
):
    assert pythons_to_ask(runtime) == names


def test_the_usual_names_are_asked_for_where_none_is_configured():
    assert pythons_to_ask(Runtime(RuntimeKind.WHEEL))[:2] == ("python3", "python3.6")
