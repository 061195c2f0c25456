"""Inventory files become devices; what is wrong with them is said with file, line and the right name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from farm.errors import RequestError
from farm.inventory import devices as inventory
from farm.inventory import find_default, read_devices, this_machine
from farm.inventory.files import require_files
from farm.inventory.runtime import RuntimeEntry
from farm.inventory.yaml_source import parse
from farm.model.device import Address, Runtime, RuntimeKind

REPOSITORY = Path(__file__).parents[3]

LAB = """\
defaults: {user: bench, workdir: ~/.cache/farm}
groups:
  arm: {tags: [arm64], runtime: {kind: native, program: builds/arm64/load_and_run, libraries: [builds/arm64/lib/*.so]}}
  gpu: {tags: [cuda], runtime: {kind: wheel}}
devices:
  arm-1: {address: 10.0.0.11, port: 22, group: arm, identity: ~/.ssh/lab, cores: {big: 4-7, little: 0-3}}
  gpu-1: {address: gpu1.lab, group: gpu, proxy_jump: gw.lab}
  phone-1: {address: 10.0.0.40, port: 8022, runtime: {kind: native, program: /data/local/tmp/load_and_run, on_device: true}}
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Writes a file into an empty current folder; names in messages are relative, as a user gives them."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "lab.yaml") -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write


def refused(path: Path) -> RequestError:
    with pytest.raises(RequestError) as caught:
        inventory.load(path)
    return caught.value


# --------------------------------------------------------------------------- what a file means


def test_the_documented_example_becomes_devices_in_the_order_of_the_file(lab, tmp_path):
    loaded = inventory.load(lab(LAB))
    arm, gpu, phone = loaded.devices
    assert [device.name for device in loaded.devices] == ["arm-1", "gpu-1", "phone-1"]
    assert arm.address == Address("10.0.0.11", 22, "bench", (Path.home() / ".ssh/lab",), None)
    assert arm.runtime.program == str(tmp_path / "builds/arm64/load_and_run")
    assert arm.cores == (("big", (4, 5, 6, 7)), ("little", (0, 1, 2, 3)))
    assert (arm.tags, arm.groups) == (("arm64",), ("arm",))
    assert gpu.runtime == Runtime(RuntimeKind.WHEEL)
    assert gpu.address.proxy_jump == "gw.lab"
    assert phone.runtime.program == "/data/local/tmp/load_and_run"
    assert phone.runtime.on_device
    assert loaded.known_hosts == Path("known_hosts")
    assert arm.source == "lab.yaml:6"


def test_a_device_counts_more_than_its_groups_and_these_more_than_defaults(lab):
    (device,) = inventory.load(
        lab("""\
defaults: {user: d, port: 1, workdir: /d, tags: [d, shared], env: {A: d, B: d, C: d}, cores: {big: 0}, soc: d}
groups:
  one: {user: one, port: 2, tags: one, env: {B: one, C: one}, attributes: {site: one}}
  two: {user: two, tags: [two, shared], env: {C: two}, identity: k2, cores: {big: [4, "6-7"]}}
devices:
  x: {group: one, groups: [two], user: me, attributes: {soc: own}}
""")
    ).devices
    assert (device.address.user, device.address.port, device.workdir) == ("me", 2, "/d")
    assert device.tags == ("d", "shared", "one", "two")
    assert device.groups == ("one", "two")
    assert dict(device.environment) == {"A": "d", "B": "one", "C": "two"}
    assert dict(device.attributes) == {"soc": "own", "site": "one"}
    assert dict(device.cores) == {"big": (4, 6, 7)}
    assert device.address.identity == (Path.cwd() / "k2",)


def test_a_runtime_is_replaced_as_a_whole(lab):
    (device,) = inventory.load(
        lab("""\
defaults: {runtime: {kind: native, program: p, libraries: [l.so]}}
devices: {x: {runtime: {kind: wheel, python: /usr/bin/python3.9}}}
""")
    ).devices
    assert device.runtime == Runtime(RuntimeKind.WHEEL, python="/usr/bin/python3.9")


def test_a_device_of_which_nothing_is_said_is_reached_by_its_name_and_runs_the_wheel(lab):
    board, local = inventory.load(lab("devices:\n  board:\n  local:\n")).devices
    assert (board.address, board.runtime.kind) == (Address("board"), RuntimeKind.WHEEL)
    assert [board.is_local, local.is_local] == [False, True]


def test_numbers_and_words_that_yaml_would_change_stay_as_they_were_typed(lab):
    (device,) = inventory.load(
        lab(
            "devices:\n  7: {user: 1000, soc: 3588, env: {VERSION: 1.10, YES: yes, ON: true, DAY: 2024-01-02}}\n"
        )
    ).devices
    assert device.name == "7"
    assert (device.address.user, dict(device.attributes)) == ("1000", {"soc": "3588"})
    assert dict(device.environment) == {"VERSION": "1.10", "YES": "yes", "ON": "true", "DAY": "2024-01-02"}


def test_anchors_and_merges_work(lab):
    first, second = inventory.load(
        lab("""\
devices:
  a: &board {user: u, port: 1, env: {X: &x long}}
  b: {<<: *board, port: 2, soc: *x}
""")
    ).devices
    assert (first.address.user, second.address.user, second.address.port) == ("u", "u", 2)
    assert dict(second.attributes) == {"soc": "long"}


def test_a_folder_is_all_its_inventory_files_and_no_suite_and_nothing_else(lab):
    lab("devices: {b: {}}", "inv/2.yaml")
    lab("devices: {a: {}}", "inv/1.yml")
    lab("devices: a*\nmodels: {tiny: bundled:tiny}", "inv/nightly.yaml")
    lab("notes: 1", "inv/other.yaml")
    lab("devices: {c: {}}", "inv/deeper/3.yaml")
    lab("devices: {d: {}}", "inv/.3.yaml")
    Path("inv/._1.yml").write_bytes(b"\0\5\x16\7 not text")
    loaded = inventory.load(Path("inv"))
    assert [device.name for device in loaded.devices] == ["a", "b"]
    assert loaded.known_hosts == Path("inv/known_hosts")


def test_without_an_inventory_there_is_this_machine(tmp_path):
    loaded = this_machine()
    (device,) = loaded.devices
    assert (device.is_local, device.name, device.runtime.kind) == (True, "local", RuntimeKind.WHEEL)
    assert loaded.source is None
    assert find_default(tmp_path) is None


def test_the_inventory_of_the_current_folder_is_found(tmp_path):
    (tmp_path / "inventory").mkdir()
    assert find_default(tmp_path) == tmp_path / "inventory"
    (tmp_path / "inventory.yaml").touch()
    assert find_default(tmp_path) == tmp_path / "inventory.yaml"


def test_a_current_folder_that_was_removed_is_named(lab, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for text in ("", "devices: {a: {identity: key}}"):
        with pytest.raises(RequestError, match="current folder does not exist"):
            parse(text, "lab.yaml", Path()).beside("x") if text else read_devices(None, "all")


@pytest.mark.parametrize("name", ["caf\udce9.yaml", "实验室.yaml"], ids=ascii)
def test_a_file_may_have_any_name(lab, name):
    assert [one.name for one in inventory.load(lab("devices: {a: {}}", name)).devices] == ["a"]
    assert "unknown key" in refused(lab("devices: {a: {adress: x}}", name)).message


def test_a_path_that_no_disk_can_hold_is_a_missing_file(lab):
    text = f"devices: {{x: {{runtime: {{kind: native, program: {'p' * 5000}}}}}}}"
    with pytest.raises(RequestError, match="no such file"):
        require_files(inventory.load(lab(text)).devices)


def test_libraries_are_found_by_globs(lab, tmp_path):
    for name in ("b.so", "a.so", "c.txt", "._a.so"):
        lab("", f"lib/{name}")
    text = "devices: {x: {runtime: {kind: native, program: lib/a.so, libraries: ['lib/*.so', lib/a.so]}}}"
    loaded = inventory.load(lab(text))
    require_files(loaded.devices)
    assert loaded.devices[0].runtime.libraries == (str(tmp_path / "lib/a.so"), str(tmp_path / "lib/b.so"))


# --------------------------------------------------------------------------- what is wrong, in exact words

MISTAKES = [
    ("devices: [a]", 'lab.yaml:1: devices: should be a mapping of "key: value"'),
    ("", "lab.yaml:1: devices: is empty: define at least one device"),
    ("- a", 'lab.yaml:1: not a mapping of "key: value" lines'),
    ("devices: {x: {}}\nfoo: 1\ngroup: {}", ("lab.yaml:2: foo: unknown key\n"
     "lab.yaml:3: group: unknown key (did you mean groups?)")),
    ("devices:\n  x: {}\n  y: {}\n  x: {port: 1}", "lab.yaml:4: device x: duplicate key, first in line 2"),
    ("devices:\n  x: {user: a, user: a}", "lab.yaml:2: device x, user: duplicate key, first in line 2"),
    ("devices:\n  Arm-1: {}\n  arm-1: {}",
     "lab.yaml:3: device arm-1: already defined as Arm-1 (case is ignored) in lab.yaml:2"),
    ("devices:\n  all: {}", "lab.yaml:2: device all: the name all is reserved for selectors"),
    ("devices:\n  a b: {}",
     "lab.yaml:2: device a b: not a name: letters, digits and . _ -, at most 64, the first a letter or digit"),
    ("devices:\n  x:\n    group: amr\ngroups:\n  arm: {}",
     'lab.yaml:3: device x, group: unknown group "amr" (did you mean arm?)'),
    ("devices:\n  x:\n    prot: 22", "lab.yaml:3: device x, prot: unknown key (did you mean port?)"),
    ("defaults:\n  port: ssh", ('lab.yaml:1: devices: is empty: define at least one device\n'
     'lab.yaml:2: defaults.port: "ssh" is not a whole number')),
    ("devices: {x: {port: 70000}}", 'lab.yaml:1: device x, port: "70000" is more than 65535'),
    ("devices: {x: {port: 0}}", 'lab.yaml:1: device x, port: "0" is less than 1'),
    ("devices: {x: {port: [1]}}", "lab.yaml:1: device x, port: should be a whole number"),
    ("devices: {x: {user: [a]}}", "lab.yaml:1: device x, user: should be text"),
    ("devices: {x: {user: a b}}", 'lab.yaml:1: device x, user: "a b" is not a login name'),
    ('devices: {x: {user: "a\\nlab.yaml:9: b"}}', 'lab.yaml:1: device x, user: "a lab.yaml:9: b" is not a login name'),
    ("devices: {x: {tags: {a: b}}}", "lab.yaml:1: device x, tags: should be a list"),
    ("devices: {x: {tags: 'a,b'}}", ('lab.yaml:1: device x, tags: "a,b" is not a name: '
     "letters, digits and . _ -, at most 64, the first a letter or digit")),
    ("devices: {x: [1]}", 'lab.yaml:1: device x: should be a mapping of "key: value"'),
    ("devices: {x: {address: me@host}}", 'lab.yaml:1: device x, address: "me@host": put the login name into user'),
    ("devices: {x: {address: 'host:22'}}", 'lab.yaml:1: device x, address: "host:22": put the port number into port'),
    ("devices: {x: {address: -oProxyCommand=id}}", 'lab.yaml:1: device x, address: "-oProxyCommand=id" is not a host'),
    ("devices: {x: {proxy_jump: -x}}",
     'lab.yaml:1: device x, proxy_jump: "-x" is not a jump host such as gw.lab or me@gw.lab:22'),
    ("devices: {x: {workdir: tmp}}",
     'lab.yaml:1: device x, workdir: "tmp" is not an absolute path or one that starts with ~/'),
    ("devices: {x: {env: {A-B: c}}}", 'lab.yaml:1: device x, env: "A-B" is not the name of an environment variable'),
    ("devices: {x: {attributes: {a b: c}}}", 'lab.yaml:1: device x, attributes: "a b" is not a name'),
    ("devices: {x: {cores: {big: a-b}}}",
     'lab.yaml:1: device x, cores.big: "a-b" is not a core id or a range such as 4-7'),
    ("devices: {x: {cores: {big: 7-4}}}", 'lab.yaml:1: device x, cores.big: "7-4": the range ends before it starts'),
    ("devices: {x: {cores: {big: 0-9999}}}",
     "lab.yaml:1: device x, cores.big: core 9999 is above 4095, the highest core id"),
    ("devices: {x: {cores: {big: '0-3,3'}}}", "lab.yaml:1: device x, cores.big: has the same core twice"),
    ("groups:\n  g:\n    runtime:\n      kind: nativ\ndevices: {x: {}}",
     'lab.yaml:4: group g, runtime.kind: "nativ" is not one of native, wheel (did you mean native?)'),
    ("devices: {x: {runtime: {program: p}}}", "lab.yaml:1: device x, runtime.kind: is missing"),
    ("devices: {x: {runtime: {kind: native, progam: p}}}",
     "lab.yaml:1: device x, runtime.progam: unknown key (did you mean program?)"),
    ("devices: {x: {runtime: {kind: native}}}",
     "lab.yaml:1: device x, runtime: kind: native requires program, the path of a load_and_run"),
    ("devices: {x: {runtime: {kind: wheel, program: p}}}",
     "lab.yaml:1: device x, runtime: program is for kind: native, not wheel"),
    ("devices: {x: {runtime: {kind: native, program: p, python: p}}}",
     "lab.yaml:1: device x, runtime: python is for kind: wheel, not native"),
    ("devices: {x: {runtime: {kind: native, program: p, libraries: l, on_device: true}}}",
     ("lab.yaml:1: device x, runtime: libraries cannot be combined with on_device; "
     "put their folder into env.LD_LIBRARY_PATH")),
    ("devices: {x: {runtime: {kind: native, program: p, on_device: maybe}}}",
     'lab.yaml:1: device x, runtime.on_device: "maybe" is not true or false'),
    ("devices: {x: {<<: 3}}", "lab.yaml:1: device x: << requires a mapping"),
    ("devices: {[1]: {}, x: {}}", "lab.yaml:1: devices: a key must be a scalar"),
    ('devices: {x: {soc: "a\\x1bb"}}', "lab.yaml:1: device x, soc: contains a control character"),
    ("devices:\n  x: {address: *", "lab.yaml:2: not YAML: expected alphabetic or numeric character, but found '\\x00'"),
    ("devices:\n  x: !vault y", "lab.yaml:2: not YAML: could not determine a constructor for the tag '!vault'"),
    ("a: &a [" + "*b," * 3 + "]", "lab.yaml:1: not YAML: found undefined alias 'b'"),
    ("[" * 900, "lab.yaml:1: nested too deeply"),
    ("a: &a {b: *a}", "lab.yaml:1: nested too deeply, or too large"),
    ("a: &a {<<: *a}", "lab.yaml:1: nested too deeply"),
    ("\x00", "lab.yaml:1: not YAML: unacceptable character #x0000: special characters are not allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_told_with_file_and_line_and_the_nearest_correct_name(lab, text, message):
    assert str(refused(lab(text))) == message


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order(lab):
    error = refused(lab("defaults: {usr: a}\ndevices:\n  a: {port: x, group: g}\n  b: {zzz: 1}\n  a: {}\n"))
    assert error.source == "lab.yaml:1"
    assert str(error).splitlines() == [
        "lab.yaml:1: defaults.usr: unknown key (did you mean user?)",
        'lab.yaml:3: device a, group: unknown group "g"',
        'lab.yaml:3: device a, port: "x" is not a whole number',
        "lab.yaml:4: device b, zzz: unknown key",
        "lab.yaml:5: device a: duplicate key, first in line 3",
    ]


def test_a_name_in_two_files_is_told_with_both_places(lab):
    lab("devices: {x: {}}", "inv/a.yaml")
    lab("\ndevices: {x: {}}", "inv/b.yaml")
    assert str(refused(Path("inv"))) == "inv/b.yaml:2: device x: already defined in inv/a.yaml:1"


def test_files_that_are_missing_are_told_when_files_are_checked(lab, tmp_path):
    path = lab(LAB.replace("~/.ssh/lab", "key"))
    loaded = inventory.load(path)
    with pytest.raises(RequestError) as caught:
        require_files(loaded.devices)
    assert str(caught.value).splitlines() == [
        f"lab.yaml:6: device arm-1, identity: no such file: {tmp_path}/key",
        f"lab.yaml:6: device arm-1, runtime.program: no such file: {tmp_path}/builds/arm64/load_and_run",
        f"lab.yaml:6: device arm-1, runtime.libraries: no file matches {tmp_path}/builds/arm64/lib/*.so",
    ]


def test_only_the_files_of_chosen_devices_are_asked_for(lab):
    arm, gpu, phone = inventory.load(lab(LAB)).devices
    require_files([gpu, phone])
    with pytest.raises(RequestError):
        require_files([arm])


def test_what_is_no_inventory_is_named(lab, tmp_path):
    assert (
        str(refused(Path("nothing.yaml"))) == "nothing.yaml: cannot read the file: No such file or directory"
    )
    assert str(refused(lab("models: {}\ndevices: a*"))) == "lab.yaml: this is a suite, not an inventory"
    (tmp_path / "empty").mkdir()
    assert (
        str(refused(Path("empty")))
        == "empty: no inventory found: no YAML file in this folder has the key devices"
    )
    Path("lab.yaml").write_bytes(b"\xff\xfe\x00")
    assert str(refused(Path("lab.yaml"))) == "lab.yaml: not a UTF-8 text file"


@pytest.mark.no_cover
def test_aliases_of_aliases_cannot_fill_the_memory(lab):
    lines = ["a0: &a0 [1]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "nested too deeply, or too large" in str(refused(lab("\n".join(lines))))


# --------------------------------------------------------------------------- whatever is in the file


def complaints(text: str) -> list[str]:
    """What is said of a file with this text; nothing when it gives devices."""
    try:
        document = parse(text, "f.yaml", Path())
        devices = inventory._devices(document)
        document.refuse()
    except RequestError as error:
        return str(error).splitlines()
    assert len(devices) == len(document.data["devices"])
    return []


WORDS = st.sampled_from(
    ["devices", "groups", "defaults", "x", "runtime", "kind", "native", "cores", "tags", "port", "1", "~", "<<", "*a",
     "&a", "!!int", "0x", "|", ">", "[", "]", "{", "}", ":", ": ", "- ", ",", "\n", "\n  ", '"', "'", "\\", "\t", "#", "%"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=25).map("".join)))
def test_broken_yaml_is_refused_and_never_a_traceback(text):
    assert all(line.startswith("f.yaml:") for line in complaints(text))


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["4-7", "native", "x"])
)
KEYS = st.sampled_from([*inventory.DeviceEntry.model_fields, *RuntimeEntry.model_fields, "big"])
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5)
)


@pytest.mark.no_cover
@given(st.fixed_dictionaries({}, optional={"defaults": TREES, "groups": st.dictionaries(KEYS, TREES, max_size=2),
                                           "devices": st.dictionaries(KEYS, TREES, max_size=3)}))  # fmt: skip
def test_any_shape_of_data_gives_devices_or_a_request_error(data):
    assert all(line.startswith("f.yaml:1: ") for line in complaints(json.dumps(data)))


# --------------------------------------------------------------------------- what is in the repository


def test_the_schema_in_docs_is_the_one_of_the_code():
    written = json.loads((REPOSITORY / "docs/schema/inventory.schema.json").read_text("utf-8"))
    assert written == inventory.schema()


@pytest.mark.parametrize("name", ["inventory/local.yaml", "inventory/examples/lab.yaml"])
def test_the_example_inventories_load_and_fit_the_schema(name):
    jsonschema.validate(YAML(typ="safe", pure=True).load(REPOSITORY / name), inventory.schema())
    assert inventory.load(REPOSITORY / name).devices


def test_the_examples_in_the_documentation_load(lab):
    example, relayed = re.findall(
        r"```yaml\n(.*?)```", (REPOSITORY / "docs/inventory.md").read_text("utf-8"), re.DOTALL
    )
    assert [device.name for device in inventory.load(lab(example)).devices] == [
        "arm-1",
        "gpu-1",
        "phone-1",
        "spare-board",
    ]
    relays = {device.name: device.relay for device in inventory.load(lab(relayed)).devices}
    assert {name: relay and relay.device.name for name, relay in relays.items()} == {
        "gw": None, "board-1": "gw", "board-2": "gw"
    }  # fmt: skip


def test_the_inventory_folder_of_a_fresh_clone_is_this_machine_alone():
    assert [device.name for device in inventory.load(REPOSITORY / "inventory").devices] == ["local"]
