"""What is looked at while a program runs, and what that needs."""

from __future__ import annotations

import os

from tests.agent.shells import Phone, Talk, until


def test_telemetry_says_what_its_columns_are(agent: Talk, epoch: int):
    agent.start(epoch, "j", "sleep", "300")
    until(lambda: agent.output("j", "telemetry").count(b"\n") >= 4)
    header, *lines = agent.output("j", "telemetry").decode().splitlines()
    names = header.split()
    assert names[:6] == ["uptime_s", "load_1m", "cores", "running", "cpu", "own"]
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times)
    assert lines[0].split()[2:4] == ["-", "-"]  # it is from before the start
    for line in lines[1:]:
        words = dict(zip(names, line.split(), strict=True))
        assert int(words["cores"]) in range(os.cpu_count())


def test_telemetry_has_the_frequency_of_each_core_and_the_temperature_of_each_zone(phone: Phone):
    fake = {
        "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000\n",
        "devices/system/cpu/cpu10/cpufreq/scaling_cur_freq": "2400000\n",
        "devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1\n",
        "class/thermal/thermal_zone0/type": "soc thermal\n",
        "class/thermal/thermal_zone0/temp": "45123\n",
        "class/thermal/thermal_zone1/type": "without a value\n",
    }
    for name, text in fake.items():
        (phone.folder / "sys" / name).parent.mkdir(parents=True, exist_ok=True)
        (phone.folder / "sys" / name).write_text(text)
    agent = phone.talk_with({"/sys": str(phone.folder / "sys")})
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "300")
    until(lambda: agent.output("j", "telemetry").count(b"\n") >= 2)
    (phone.folder / "sys/class/thermal/thermal_zone0/temp").unlink()
    until(lambda: agent.output("j", "telemetry").endswith(b" -\n"))
    header, first, *_ = agent.output("j", "telemetry").decode().splitlines()
    assert header == "uptime_s load_1m cores running cpu own cpu0_khz cpu10_khz temp:soc%20thermal_mc"
    assert first.split()[6:] == ["1800000", "2400000", "45123"]
    agent("release", epoch)


def test_counters_of_energy_and_of_throttling_come_as_they_are_beyond_32_bits(phone: Phone):
    """Of a battery only what it gives counts. Throttling is read at both ends only: there are many counters."""
    fake = {
        "class/powercap/intel-rapl:0/name": "package-0\n",
        "class/powercap/intel-rapl:0/energy_uj": "262143328849\n",
        "class/powercap/intel-rapl:0:0/name": "core\n",
        "class/powercap/intel-rapl:0:0/energy_uj": "1\n",
        "class/power_supply/battery/status": "Discharging\n",
        "class/power_supply/battery/current_now": "-812000\n",
        "class/power_supply/battery/voltage_now": "4012345\n",
        "class/power_supply/spare/status": "Charging\n",
        "class/power_supply/spare/power_now": "7\n",
        "class/power_supply/usb/power_now": "5123000\n",
        "class/thermal/cooling_device0/type": "thermal-cpufreq-0\n",
        "class/thermal/cooling_device0/cur_state": "3\n",
        "class/thermal/cooling_device1/type": "pwm-fan\n",
        "class/thermal/cooling_device1/cur_state": "1\n",
        "devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "4294967999\n",
        "devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "2\n",
    }
    for name, text in fake.items():
        (phone.folder / "sys" / name).parent.mkdir(parents=True, exist_ok=True)
        (phone.folder / "sys" / name).write_text(text)
    phone.settings["FARM_SYS"] = str(phone.folder / "sys")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "1.5")
    assert agent.ended("j") == (0, "-")
    header, *lines = agent.output("j", "telemetry").decode().splitlines()
    assert header.split()[6:] == [
        "cooling:thermal-cpufreq-0", "energy:package-0_uj", "current:battery_ua", "voltage:battery_uv",
        "power:usb_uw", "throttle:cpu0:core", "throttle:cpu0:package",
    ]  # fmt: skip
    ends = ["3", "262143328849", "-812000", "4012345", "5123000", "4294967999", "2"]
    assert [line.split()[6:] for line in (lines[0], lines[-1])] == [ends, ends]
    assert {tuple(line.split()[6:]) for line in lines[1:-1]} <= {(*ends[:5], "-", "-")}
    agent("release", epoch)


def test_a_system_that_hides_the_uptime_and_the_load_is_served_too(phone: Phone):
    """As Android does with apps such as Termux."""
    agent = phone.talk_with({"/proc/uptime": "/dev/null", "/proc/loadavg": "/dev/null"})
    epoch = int(agent("lease", "me", 600)[0])
    agent("beat", epoch)
    agent.start(epoch, "j", "sleep", "300", wall_s=3)
    assert agent.ended("j") == (143, "wall-limit")
    header, *lines = agent.output("j", "telemetry").decode().splitlines()
    assert {len(line.split()) for line in lines} == {len(header.split())}
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times)
    assert agent("holder")[1] in {str(age) for age in range(30)}
    agent("release", epoch)


def test_asking_a_running_job_needs_no_tool(phone: Phone):
    """The hot path starts no program: with all tools gone from the device, it still works."""
    tools = phone.own_tools()
    agent = phone.talk()
    epoch = int(agent("lease", "me", 60)[0])
    agent.start(epoch, "j", "sleep", "300")
    until(lambda: any(command.startswith("sleep") for command in phone.processes().values()))
    agent("beat", epoch)
    tools.rename(phone.folder / "elsewhere")
    for _ in range(3):
        assert agent("poll", "j")[0] == "running"
        agent("beat", epoch)
    (phone.folder / "elsewhere").rename(tools)
    agent("release", epoch)


def test_a_device_of_one_core_is_looked_at_rarely_and_its_limits_hold(phone: Phone):
    """Each look takes its time from the program."""
    online = phone.folder / "online"
    online.write_text("0\n")
    phone.change_script("PAUSE_OF_ONE_CORE_S=5", "PAUSE_OF_ONE_CORE_S=1000")
    agent = phone.talk_with({"/sys/devices/system/cpu/online": str(online)})
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "300", wall_s=2)
    assert agent.ended("j") == (143, "wall-limit")
    _, *lines = agent.output("j", "telemetry").decode().splitlines()
    assert [line.split()[2] for line in lines] == ["0"] * 3  # before it, at its limit, after it
    agent("release", epoch)
