"""Which addresses a range means, and what an entry says of a device."""

from __future__ import annotations

import io

import pytest
from ruamel.yaml import YAML

from farm.errors import RequestError
from farm.inventory.devices import load
from farm.model.device import Address, Facts, Gpu
from farm.run.discover.entries import as_yaml, entries_of
from farm.run.discover.look import Found
from farm.run.discover.ranges import hosts_of, parse_range


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("10.0.0.0/30", ["10.0.0.1", "10.0.0.2"]),
        ("10.0.0.1/30", ["10.0.0.1", "10.0.0.2"]),
        ("10.0.0.4/31", ["10.0.0.4", "10.0.0.5"]),
        ("10.0.0.9/32", ["10.0.0.9"]),
        ("10.0.0.254-10.0.1.1", ["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"]),
        ("10.0.0.7-8", ["10.0.0.7", "10.0.0.8"]),
        ("::1-::2", ["::1", "::2"]),
        ("arm-1.lab", ["arm-1.lab"]),
        ("10.0.0.1", ["10.0.0.1"]),
    ],
)
def test_a_range_is_these_addresses(text: str, hosts: list[str]) -> None:
    assert list(parse_range(text).hosts()) == hosts


@pytest.mark.parametrize(
    "text", ["", "-", "10.0.0.0/33", "10.0.0.9-8", "10.0.0.1-::2", "a b", "1.2.3", "local", "x/y"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        parse_range(text)


def test_addresses_are_counted_before_they_are_listed_and_each_is_asked_once() -> None:
    with pytest.raises(RequestError) as caught:
        hosts_of([parse_range("::/0")], 4096)
    assert str(2**128) in caught.value.message
    assert hosts_of([parse_range("10.0.0.1-2"), parse_range("10.0.0.2-3")], 4) == (
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.3",
    )


HOSTILE = Facts(
    hostname="all: {x\n- &a *b", architecture="aarch64", soc="rk 3588: #", os_name="Debian\ndevices: {evil: {}}\x1b[2J",
    cpu_model="\u202ex", core_ids=(0, 1), gpus=(Gpu("NVIDIA A100"),),
)  # fmt: skip


def test_text_of_a_device_stays_text_in_an_inventory(tmp_path) -> None:
    found = [
        Found(Address("10.0.0.5", 2222, "bench"), "SSH-2.0-x", facts=HOSTILE),
        Found(Address("10.0.0.6", 22), "SSH-2.0-x"),
    ]
    entries = entries_of(found, ["arm-1"])
    text = as_yaml(entries, found)
    path = tmp_path / "lab.yaml"
    path.write_text(text)
    (device,) = load(path).devices
    assert (device.address.host, device.address.port, device.address.user) == ("10.0.0.5", 2222, "bench")
    assert device.tags == ("aarch64", "cuda")
    assert text.isprintable() or set(text) - {"\n"} <= set(map(chr, range(32, 127)))
    assert list(YAML(typ="safe").load(io.StringIO(text))) == ["devices"]


def test_names_that_are_taken_get_a_number_and_those_that_say_nothing_the_address() -> None:
    def named(hostname: str | None) -> Found:
        return Found(Address("10.0.0.5", 22), "", facts=Facts(hostname=hostname))

    found = [named("arm-1"), named("ARM-1.lab"), named(None), named("localhost"), named("ä"), named("all")]
    assert list(entries_of(found, ["arm-1"])) == [
        "arm-1-2", "ARM-1-3", "host-10-0-0-5", "host-10-0-0-5-2", "host-10-0-0-5-3", "all-2",
    ]  # fmt: skip
