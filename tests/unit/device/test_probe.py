"""What devices say of themselves. The texts are what such devices print, shortened."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.device.probe import core_ids, parse_facts
from farm.model.device import Facts, Gpu, Python

SERVER = """\

== uname
Linux 6.1.0-18-amd64 x86_64
gpu-1.lab

== os-release
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"

== cpuinfo
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz
flags\t\t: fpu avx2 avx512f
processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz
flags\t\t: fpu avx2

== online
0-1

== cores
0 3500000 performance
1 3500000 powersave

== meminfo
MemTotal:       131922940 kB
MemFree:         1000 kB
MemAvailable:   120000000 kB

== loadavg
0.52 0.58 0.59 1/467 12345

== df
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/nvme0n1p1   479152832 12345678 442399744       3% /my home

== thermal
47000 x86_pkg_temp
-274000 broken zone
 iwlwifi_1

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
Linux 4.19.191+ aarch64
localhost
== os-release
== cpuinfo
processor\t: 0
Features\t: fp asimd asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd05
processor\t: 4
Features\t: fp asimd asimddp sve
CPU implementer\t: 0x41
CPU part\t: 0xd0b
processor\t: 7
Features\t: fp asimd asimddp
CPU implementer\t: 0x99
CPU part\t: 0xabc
== online
0-3,6,7
== cores
0 1803000 schedutil
== getprop
ro.product.manufacturer Xiaomi
ro.product.model M2012K11AC
ro.soc.model SM8250
ro.build.version.release 12
== libc
== shell
mksh
"""

ROUTER = """\
== uname
Linux 5.15.150 armv7l
OpenWrt
== os-release
PRETTY_NAME="OpenWrt 23.05.3"
== cpuinfo
processor\t: 0
model name\t: ARMv7 Processor rev 1 (v7l)
Features\t: half thumb neon
Hardware\t: Generic DT based system
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
        disk_free_bytes=442399744 * 1024,
        load_average_1m=0.52,
        temperatures_c=(("x86_pkg_temp", 47.0),),
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


def test_a_router():
    facts = parse_facts(ROUTER)
    assert facts.libc == "musl"
    assert facts.cpu_model == "ARMv7 Processor rev 1 (v7l)"
    assert facts.core_ids == (0,)


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
    ],
)
def test_the_c_library_names_itself(text: str, libc: str | None):
    assert parse_facts(f"== libc\n{text}\n").libc == libc


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


HOSTILE = [
    "== cores\n² ³ x\n",
    "== cores\n" + "9" * 5000 + " 1 x\n",
    "== meminfo\nMemTotal: " + "9" * 5000 + " kB\n",
    "== loadavg\nnan 0 0\n",
    "== loadavg\ninf 0 0\n",
    "== loadavg\n1e999 0 0\n",
    "== online\n" + "0-9999," * 20_000 + "\n",
    "== cpuinfo\n" + "processor : ²\n",
    "== uname\n\x1b[31mLinux\x07 \u202e5.0 x\n<script>\n",
    "== nvidia\n" + "A" * 100_000 + ", 1, 9.0, x MiB\n",
    "== pythons\n/" + "p" * 100_000 + " cpython 3.8.1 -\n",
    "== df\na b c d e f\n-1 -1 -1 -1 -1 -1\n",
    "== thermal\n" + "1 z\n" * 100_000,
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
    "cpuinfo",
    "online",
    "cores",
    "meminfo",
    "loadavg",
    "df",
    "thermal",
    "nvidia",
    "pythons",
    "tools",
    "libc",
]


@given(st.lists(st.tuples(st.sampled_from(SECTIONS), st.lists(st.text(max_size=40), max_size=4))))
def test_no_text_breaks_the_parser(parts: list[tuple[str, list[str]]]):
    check(parse_facts("".join(f"== {name}\n" + "\n".join(lines) + "\n" for name, lines in parts)))
