"""Selectors: which devices, in inventory order; a typing mistake never shrinks a benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import RequestError
from farm.inventory.select import select
from farm.model.device import Address, Device, Inventory, Runtime, RuntimeKind


def device(name: str, **more) -> Device:
    return Device(name, Address(name), Runtime(RuntimeKind.WHEEL), **more)


LAB = Inventory(
    (
        *(
            device(
                f"arm-{n}",
                groups=("arm",),
                tags=("arm64",),
                attributes=(("soc", "rk3588" if n < 3 else "Kryo 8 Gen"),),
            )
            for n in range(1, 5)
        ),
        *(device(f"gpu-{n:02d}", groups=("gpu", "big"), tags=("cuda", "x86")) for n in range(1, 4)),
        device("local"),
    ),
    None,
    Path("known_hosts"),
)


def names(text: str) -> list[str]:
    return [found.name for found in select(LAB, text)]


ARM = ["arm-1", "arm-2", "arm-3", "arm-4"]
GPU = ["gpu-01", "gpu-02", "gpu-03"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", [*ARM, *GPU, "local"]),
        ("*", [*ARM, *GPU, "local"]),
        ("gpu-*,arm-*", [*ARM, *GPU]),
        ("arm-?", ARM),
        ("arm-[1-4]", ARM),
        ("arm-[1-2,4]", ["arm-1", "arm-2", "arm-4"]),
        ("arm-[1-999999999]", ARM),
        ("gpu-[01-03/2]", ["gpu-01", "gpu-03"]),
        ("*-[1,01]", ["arm-1", "gpu-01"]),
        ("*[2-3]", ["arm-2", "arm-3", "gpu-02", "gpu-03"]),
        ("@arm", ARM),
        ("@b*", GPU),
        ("tag:cuda", GPU),
        ("soc=rk3588", ["arm-1", "arm-2"]),
        ("soc=rk35[80-90]", ["arm-1", "arm-2"]),
        ("soc=Kryo*", ["arm-3", "arm-4"]),
        ("soc=Kryo 8 Gen", ["arm-3", "arm-4"]),
        ("!arm-3", ["arm-1", "arm-2", "arm-4", *GPU, "local"]),
        ("arm-*,!arm-3", ["arm-1", "arm-2", "arm-4"]),
        ("arm-*!arm-3", ["arm-1", "arm-2", "arm-4"]),
        ("arm-*,!arm-3,arm-3", ARM),
        ("arm-*,gpu-*,!arm-2", ["arm-1", "arm-3", "arm-4", *GPU]),
        ("arm-*&soc=rk3588", ["arm-1", "arm-2"]),
        ("all & @gpu &! gpu-02", ["gpu-01", "gpu-03"]),
        (" local , gpu-01 ", ["gpu-01", "local"]),
        ("arm-1,arm-1", ["arm-1"]),
    ],
)
def test_a_selector_means_these_devices(text, expected):
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the selector is empty"),
        ("arm-1,", 'the selector "arm-1," ends with an empty term'),
        ("arm-1,,arm-2", 'empty term before "," in the selector "arm-1,,arm-2"'),
        ("!!arm-1", 'empty term before "!" in the selector "!!arm-1"'),
        ("amr-1", 'no device matches "amr-1" (did you mean arm-1?)'),
        ("tag:", '"tag:" is incomplete'),
        ("zzz*", 'no device matches "zzz*"'),
        ("arm-*,!arm-9", 'no device matches "arm-9" (did you mean arm-4?)'),
        ("arm-[1-4,7]", 'no device matches "arm-7" (did you mean arm-4?)'),
        ("gpu-[1-3]", 'no device matches "gpu-[1-3]" (did you mean gpu-03?)'),
        ("ARM-1", 'no device matches "ARM-1" (did you mean arm-1?)'),
        ("@amr", 'no device matches "@amr" (did you mean @arm?)'),
        ("tag:cudo", 'no device matches "tag:cudo" (did you mean tag:cuda?)'),
        ("soc=rk3576", 'no device matches "soc=rk3576" (did you mean soc=rk3588?)'),
        ("sco=rk3588", 'no device has an attribute "sco" (did you mean soc?)'),
        ("arm-1&gpu-01", 'the selector "arm-1&gpu-01" matches no device'),
        ("arm-[1-4", '"arm-[1-4" has an unbalanced bracket'),
        ("arm-1]", '"arm-1]" has an unbalanced bracket'),
        ("arm-[a-c]", '"a-c" in "arm-[a-c]" is not a number or a range'),
        ("arm-[]", '"" in "arm-[]" is not a number or a range'),
        ("arm-[4-1]", '"4-1" in "arm-[4-1]": the range ends before it starts'),
        ("arm-[1-4/0]", '"1-4/0" in "arm-[1-4/0]" has a step of 0'),
        ("arm-[01-4]", '"01-4" in "arm-[01-4]" has leading zeros and numbers of different length'),
        ("arm-[1-9999999999]", '"1-9999999999" in "arm-[1-9999999999]" is not a number or a range'),
        (
            "a" + "[1,2]" * 10,
            '"a[1,2][1,2][1,2][1,2][1,2][1,2][1,2][1,2][1,2][1,2]" expands to more than 1000 patterns',
        ),
    ],
)
def test_a_wrong_selector_is_refused_with_the_nearest_name(text, message):
    with pytest.raises(RequestError) as caught:
        names(text)
    assert str(caught.value) == message


def test_the_refusal_says_what_there_is():
    with pytest.raises(RequestError) as caught:
        names("@x")
    assert caught.value.hint == "use one of: @arm, @gpu, @big"


def test_many_wildcards_do_not_hang():
    lab = Inventory((device("a" * 64),), None, Path())
    with pytest.raises(RequestError):
        select(lab, "*a" * 30 + "*b")


# --------------------------------------------------------------------------- algebra

NAMES = st.lists(st.from_regex(r"[a-c]-[0-9]{1,2}", fullmatch=True), min_size=1, max_size=12, unique=True)


@st.composite
def labs_and_terms(draw, count: int):
    """An inventory, and terms that each match something in it."""
    found = draw(NAMES)
    lab = Inventory(tuple(device(name, tags=(name[0],)) for name in found), None, Path())
    term = st.one_of(
        st.sampled_from(found),
        st.sampled_from(found).map(lambda name: f"{name[0]}-*"),
        st.sampled_from(found).map(lambda name: f"tag:{name[0]}"),
        st.sampled_from(found).map(lambda name: f"*-[{name[2:]}]"),
        st.just("all"),
    )
    return lab, [draw(term) for _ in range(count)]


def chosen(lab: Inventory, text: str) -> set[str]:
    """The names; the empty set where nothing is left."""
    try:
        return {found.name for found in select(lab, text)}
    except RequestError as error:
        if not error.message.endswith("matches no device"):
            raise
        return set()


@pytest.mark.no_cover
@given(labs_and_terms(3))
def test_operators_are_those_of_sets_from_left_to_right(drawn):
    lab, (a, b, c) = drawn
    sets = {term: chosen(lab, term) for term in (a, b, c)}
    assert chosen(lab, f"{a},{b}") == sets[a] | sets[b] == chosen(lab, f"{b},{a}")
    assert chosen(lab, f"{a}&{b}") == sets[a] & sets[b] == chosen(lab, f"{b}&{a}")
    assert (
        chosen(lab, f"{a},!{b}") == sets[a] - sets[b] == chosen(lab, f"{a}!{b}") == chosen(lab, f"{a}&!{b}")
    )
    assert chosen(lab, f"!{a}") == chosen(lab, f"all,!{a}") == chosen(lab, "all") - sets[a]
    assert chosen(lab, f"{a},{b},!{c}") == (sets[a] | sets[b]) - sets[c]
    assert chosen(lab, f"{a},!{b},{c}") == (sets[a] - sets[b]) | sets[c]
    assert chosen(lab, f"{a},{b}&{c}") == (sets[a] | sets[b]) & sets[c]
    assert chosen(lab, f"{a},{a}") == sets[a]


@given(labs_and_terms(2))
def test_devices_come_in_the_order_of_the_inventory_and_once(drawn):
    lab, (a, b) = drawn
    found = select(lab, f"{a},{b},{a}")
    assert list(found) == [each for each in lab.devices if each in found]


@pytest.mark.no_cover
@given(st.integers(0, 120), st.integers(0, 120), st.integers(1, 9))
def test_a_range_means_the_numbers_that_counting_gives(first, more, step):
    lab = Inventory(tuple(device(f"a-{number}") for number in range(241)), None, Path())
    wanted = {f"a-{number}" for number in range(first, first + more + 1, step)}
    assert chosen(lab, f"a-[{first}-{first + more}/{step}]") == wanted


@given(st.text(alphabet="arm-1234gpu0,&!@[]*?/=:tsoc ", max_size=30) | st.text(max_size=20))
def test_any_text_gives_devices_or_a_request_error(text):
    try:
        found = select(LAB, text)
    except RequestError:
        return
    assert found
