"""A lab file: what its devices are like, and each mistake with its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from farm.errors import RequestError
from farm.sim.lab import reader, rights
from farm.sim.lab.entries import Behaviour
from farm.sim.lab.faults import FAULTS, name_of
from farm.sim.lab.kinds import KINDS
from farm.sim.lab.reader import Lab, Simulated
from farm.sim.oddities import ODDITIES
from farm.sim.properties import (
    Act,
    Cluster,
    Ending,
    Heat,
    Line,
    Login,
    Program,
    Properties,
    Strike,
    Target,
    Tensor,
    Written,
)

ROOT = Path(__file__).parents[3]

WHOLE = """\
defaults: {noise: 0.5, inventory: {tags: [arm]}}
devices:
  all-of-it:
    latency_ms: 8
    seed: 7
    factors: {enable-nchw44: 0.5}
    load_ms: 3
    first_ms: 4
    pace: 1
    outputs: [{values: [1, 2.5], shape: [1, 2], name: softmax, variable: 5}]
    shifts: {resnet18: 0.25}
    drift: 0.125
    ending: hang
    lacks: fast-run
    forgets: [profile]
    writes: [{name: d/f.txt, size_bytes: 9, count: 2}]
    says: hello
    log_bytes: 10
    shell: bash
    rc: set -x
    forced_command: exit 7
    environment: {LANG: C}
    neighbours: true
    home: here
    tools: {uname: echo Linux}
    fork_s: 0.25
    heat: {idle_c: 20, clusters: [{cores: 0-1, max_khz: 2000000, min_khz: 500000, capacity: 512}]}
    inventory: {soc: 3588, cores: {big: 0-1}}
    faults:
      - agent-killed
      - {fault: black-hole, run: 0, iteration: 4, lasts_s: 1.5}
      - {fault: first-connect-reset, times: 3}
      - {fault: first-connect-refused, lasts_s: 0.5}
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Lab]:
    def load(text: str) -> Lab:
        path = tmp_path / "lab.yaml"
        path.write_text(text, "utf-8")
        return reader.load(path)

    return load


def one(lab: Lab) -> Properties:
    (device,) = lab.devices.values()
    return device.properties


def test_every_property_of_a_device_can_be_said(read: Callable[[str], Lab]) -> None:
    program = Program(
        latency_ms=8.0, noise=0.5, seed=7, factors=(("enable-nchw44", 0.5),), load_ms=3.0, first_ms=4.0, pace=1.0,
        outputs=(Tensor((1.0, 2.5), (1, 2), "softmax", 5),), shifts=(("resnet18", 0.25),), drift=0.125,
        ending=Ending.HANG, lacks=("fast-run",), forgets=("profile",), writes=(Written("d/f.txt", 9, 2),),
        says="hello", log_bytes=10,
        strikes=(Strike(Target.AGENT), Strike(Target.CONNECTION, Act.STOP, run=0, iteration=4, lasts_s=1.5)),
    )  # fmt: skip
    assert one(read(WHOLE)) == Properties(
        program=program,
        login=Login("bash", "set -x", "exit 7", (("LANG", "C"),), neighbours=True),
        line=Line(resets=3, deaf_s=0.5),
        home="here",
        tools=(("uname", "echo Linux"),),
        fork_s=0.25,
        heat=Heat(idle_c=20.0, clusters=(Cluster((0, 1), 2_000_000, 500_000, 512),)),
        entry=(("soc", "3588"), ("cores", {"big": "0-1"})),
    )


def test_no_property_was_forgotten() -> None:
    said = {"forced": "forced_command", "entry": "inventory", "strikes": "faults"}
    parts = {"program", "login", "line"}
    of = [field.name for kind in (Program, Login, Properties) for field in fields(kind)]
    assert {said.get(name, name) for name in of if name not in parts} < Behaviour.model_fields.keys()


def test_a_device_is_as_its_kind_then_as_its_oddity_then_as_it_is_written(
    read: Callable[[str], Lab],
) -> None:
    found = one(
        read(
            "defaults: {latency_ms: 3, load_ms: 7}\n"
            "devices: {a: {like: phone, oddity: [slow-forks, connection-cut], latency_ms: 5, "
            "faults: [agent-stopped], heat: {trip_c: 50}}}\n"
        )
    )
    phone = KINDS["phone"].properties
    assert (found.program.latency_ms, found.program.load_ms, found.program.noise) == (5.0, 7.0, 0.03)
    assert found.fork_s == ODDITIES["slow-forks"].properties.fork_s
    assert [strike.target for strike in found.program.strikes] == [Target.CONNECTION, Target.AGENT]
    assert (found.heat.trip_c, found.heat.clusters) == (50.0, phone.heat.clusters)
    assert one(read("devices: {a: {like: phone, heat: false}}")).heat is None
    assert one(read("devices: {a: {like: phone}}")).heat == phone.heat


def test_devices_of_a_count_are_numbered_and_have_noise_of_their_own_which_is_the_same_tomorrow(
    read: Callable[[str], Lab],
) -> None:
    devices = read("devices: {a: {count: 3}, b: , c: {count: 1}, d: {count: 2, seed: 5}}").devices
    assert [*devices] == ["a-1", "a-2", "a-3", "b", "c-1", "d-1", "d-2"]
    seeds = [device.properties.program.seed for device in devices.values()]
    assert len(set(seeds)) == 7
    assert seeds[-2:] == [5, 6]
    again = read("devices: {b: }").devices["b"]
    assert again.properties.program.seed == devices["b"].properties.program.seed


@pytest.mark.parametrize("name", ODDITIES)
def test_an_oddity_alone_is_that_of_its_name(read: Callable[[str], Lab], name: str) -> None:
    wanted = ODDITIES[name].properties
    found = one(read(f"devices: {{a: {{oddity: {name}, seed: 0}}}}"))
    assert found == wanted


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.strike])
def test_a_fault_alone_is_that_of_its_name_and_of_the_oddity_that_is_called_so(
    read: Callable[[str], Lab], name: str
) -> None:
    (strike,) = one(read(f"devices: {{a: {{faults: {name}}}}}")).program.strikes
    assert name_of(strike) == name
    assert strike == FAULTS[name].strike
    if name in ODDITIES:
        assert ODDITIES[name].properties.program.strikes == (strike,)


MISTAKES = [
    ("devices: {a: {like: fone}}", '1: device a, like: unknown kind "fone" (did you mean phone?)'),
    ("devices:\n  a: {oddity: slow-fork}", '2: device a, oddity[1]: unknown oddity "slow-fork" (did you mean'),
    ("devices:\n  a:\n    faults: [cut]", '3: device a, faults[1].fault: unknown fault "cut"'),
    ("devices:\n  a:\n    latensy_ms: 1", "3: device a, latensy_ms: unknown key (did you mean latency_ms?)"),
    ("devices: {a: {latency_ms: 0}}", "1: device a, latency_ms: should be greater than 0"),
    ("devices: {a: {latency_ms: .nan}}", '1: device a, latency_ms: ".nan" is not a number'),
    ("devices: {a: {drift: nan}}", "1: device a, drift: should be a finite number"),
    ("devices: {a: {noise: fast}}", '1: device a, noise: "fast" is not a number'),
    ("devices: {a: {count: 0}}", '1: device a, count: "0" is less than 1'),
    ("devices: {a: {count: 257}}", '1: device a, count: "257" is more than 256'),
    ("devices: {a: {count: 200}, b: {count: 200}}", "1: devices: 400 devices are more than 256"),
    ("devices:\n  a: {count: 2}\n  A-1:", "3: device A-1: A-1 is a device already, in "),
    ("devices: {all: }", "1: device all: the name all is reserved"),
    ("devices: {'a b': }", "1: device a b: not a name"),
    ("devices: {a: [1]}", '1: device a: should be a mapping of "key: value"'),
    ("devices: {}", "1: devices: is empty: define at least one device"),
    ("device: {a: }", "1: device: unknown key (did you mean devices?)"),
    ("defaults: {count: 2}\ndevices: {a: }", "1: defaults.count: unknown key"),
    ("devices: {a: {lacks: fast-rum}}", '1: device a, lacks[1]: unknown option "fast-rum" (did you mean'),
    ("devices: {a: {ending: crashed}}", '1: device a, ending: "crashed" is not one of normal, crash, cut, hang'),
    ("devices: {a: {faults: [{fault: power-cut, lasts_s: 2}]}}", "faults[1]: power-cut has no lasts_s"),
    ("devices: {a: {faults: [{fault: restarted, lasts_s: 0}]}}", "more than 0; see power-cut"),
    ("devices: {a: {faults: [{run: 2}]}}", "1: device a, faults[1].fault: is missing"),
    ("devices: {a: {home: ../b}}", 'home: "../b" cannot be the name of the home folder'),
    ("devices: {a: {home: id_client}}", "cannot be the name of the home folder"),
    ("devices: {a: {tools: {../x: y}}}", '1: device a, tools: "../x" is not the name of a program'),
    ("devices: {a: {environment: {a=b: y}}}", 'environment: "a=b" is not the name of an environment variable'),
    ("devices: {a: {writes: [{name: ../x}]}}", 'writes[1].name: "../x" is not the name of a file below'),
    ("devices: {a: {outputs: [{shape: [9999, 9999]}]}}", "outputs[1]: 99980001 values are more than"),
    ("devices: {a: {outputs: [{values: []}]}}", "outputs[1].values: should have at least 1"),
    ("devices: {a: {heat: {clusters: []}}}", "heat.clusters: cores are numbered"),
    ("devices: {a: {heat: {clusters: [{cores: 0, max_khz: 5000, min_khz: 6000}]}}}", "min_khz 6000 is more than"),
    ("devices: {a: {like: server, heat: {governor: fast}}}", "1: device a: the governor fast is not one of"),
    ("devices: {a: {heat: {files: {/etc/passwd: x}}}}", '"/etc/passwd" is not a path below /sys'),
    ("devices: {a: {inventory: {port: 22}}}", "1: device a, inventory: port is decided by the lab"),
    ("devices: {a: {inventory: {tagz: 22}}}", "inventory.tagz: unknown key (did you mean tags?)"),
    ("version: 2\ndevices: {a: }", "unsupported version '2'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_is_told_with_its_line_and_what_was_meant(
    read: Callable[[str], Lab], text: str, says: str
) -> None:
    with pytest.raises(RequestError) as raised:
        read(text)
    assert says in str(raised.value)
    assert raised.value.hint


def test_all_mistakes_are_told_at_once(read: Callable[[str], Lab]) -> None:
    with pytest.raises(RequestError) as raised:
        read("defaults: {noize: 1}\ndevices:\n  a: {like: fone}\n  b: {heat: {governor: x}}\n")
    assert len(str(raised.value).splitlines()) == 3


def test_a_file_that_would_fill_the_memory_is_not_read() -> None:
    with pytest.raises(RequestError, match="larger than 16 MiB"):
        reader.load(Path("/dev/zero"))


def test_the_schema_in_the_documentation_is_this_one_and_takes_the_example(tmp_path: Path) -> None:
    written = json.loads((ROOT / "docs/schema/lab.schema.json").read_text("utf-8"))
    assert written == reader.schema(), "farm schema lab > docs/schema/lab.schema.json"
    jsonschema.Draft202012Validator.check_schema(written)
    for text in ((ROOT / "examples/sim/lab.yaml").read_text("utf-8"), WHOLE, "devices: {a: {heat: false}}"):
        jsonschema.validate(YAML(typ="safe", pure=True).load(text), written)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"devices": {"a": {"like": "fone"}}}, written)


def test_a_restart_without_the_right_to_mount_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    restarted = Properties(Program(strikes=(Strike(Target.MACHINE, lasts_s=2.0),)))
    gone = Properties(Program(strikes=(Strike(Target.MACHINE),)))

    def device(properties: Properties) -> Simulated:
        return Simulated(properties, None, (), (), "lab.yaml:3")

    rights.require_boot_ids({"a": device(gone), "b": device(Properties())})
    with pytest.raises(RequestError, match="device b: restarted needs the right to mount files") as raised:
        rights.require_boot_ids({"a": device(gone), "b": device(restarted)})
    assert raised.value.source == "lab.yaml:3"
    assert "power-cut" in raised.value.hint
