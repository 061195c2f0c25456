"""What a device says of its store, and what of it is removed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.device.disk.clean import enough, removable
from farm.device.disk.stock import Stock, Stored, StoredTree, parse_stock
from farm.model.limits.disk import Portion, portion

A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)


def stored(sha256: str, size_bytes: int = 10) -> Stored:
    return Stored(f"cas/{sha256[:2]}/{sha256}", size_bytes, sha256)


def tree(name: str, *sha256s: str) -> StoredTree:
    return StoredTree(f"trees/{name}", frozenset(sha256s))


STOCK = Stock(
    100,
    50,
    (Stored(f"incoming/{A}", 5), Stored(f"incoming/{B}", 5), *map(stored, (A, B, C, D))),
    (tree("old", A, B), tree("new", B, C)),
)


def paths(stock: Stock, *needed: str) -> list[str]:
    return [one.path.replace(one.path[-63:], "") if "trees" not in one.path else one.path
            for one in removable(stock, needed)]  # fmt: skip


def test_parts_go_first_then_what_no_tree_uses_then_tree_by_tree() -> None:
    assert paths(STOCK) == [
        "incoming/a", "incoming/b", "cas/dd/d", "trees/old", "cas/aa/a", "trees/new", "cas/bb/b", "cas/cc/c"
    ]  # fmt: skip


def test_nothing_that_is_needed_goes_however_old() -> None:
    assert paths(STOCK, A, D) == ["incoming/b", "trees/old", "trees/new", "cas/bb/b", "cas/cc/c"]
    assert paths(STOCK, A, B) == ["cas/dd/d", "trees/new", "cas/cc/c"]
    assert paths(STOCK, A, B, C, D) == []


def test_what_one_tree_frees_goes_in_the_order_of_the_stock() -> None:
    files = tuple(stored(f"{number:064x}") for number in range(40))
    old = tree("old", *(file.sha256 or "" for file in files))
    assert tuple(removable(Stock(100, 50, files, (old,)))) == (old, *files)


def test_no_more_goes_than_is_wanted() -> None:
    for wanted, freed in ((0, 0), (1, 5), (5, 5), (11, 20), (21, 30), (1000, 50)):
        removals, bytes_ = enough(removable(STOCK), wanted)
        assert bytes_ == freed == sum(one.size_bytes for one in removals if isinstance(one, Stored))


SAID = f"""
== df
Filesystem 1024-blocks Used Available Capacity Mounted on
/dev/root  100 50 40 50% /
== sizes
4 cas/aa/{A}
8\tcas/bb/{B}
4 cas/bb/{B}.unpacking
16 incoming/{C}
99 cas/aa
99 cas
1 cas/../etc/{A}
1 incoming/a b
x incoming/y
== files
./bb/{B}
./aa/{A}
./cc/{C}
== trees
old
..
.new.1
a/b
== links
trees/old:
total 0
drwxr-xr-x 2 root root 60 Nov 26 02:14 lib

trees/old/lib:
lrwxrwxrwx 1 root root 90 Nov 26 02:14 a b -> /root/a -> b/cas/bb/{B}
lrwxrwxrwx 1 root root 90 Nov 26 02:14 passwd -> /etc/passwd
"""


def test_what_a_device_says_of_its_store_is_checked() -> None:
    assert parse_stock(SAID) == Stock(
        disk_bytes=102400,
        free_bytes=40960,
        files=(
            Stored(f"cas/bb/{B}.unpacking", 4096),
            Stored(f"incoming/{C}", 16384),
            Stored(f"cas/bb/{B}", 8192, B, "b"),
            Stored(f"cas/aa/{A}", 4096, A),
        ),
        trees=(tree("old", B), tree(".new.1")),
    )


def test_a_device_that_says_nothing_has_an_empty_store_on_a_disk_of_unknown_size() -> None:
    assert parse_stock("") == Stock()


@given(st.text(), st.lists(st.sampled_from(SAID.splitlines())))
def test_no_text_breaks_the_reader_of_the_store(text: str, lines: list[str]) -> None:
    for raw in (text, SAID + text, "\n".join(lines)):
        for one in removable(parse_stock(raw)):
            assert one.path.startswith(("cas/", "incoming/", "trees/"))
            assert "/../" not in f"{one.path}/"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("25%", Portion(percent=25)), ("0.5 %", Portion(percent=0.5)), ("100%", Portion(percent=100)),
        ("0", Portion(most_bytes=0)), ("200 MB", Portion(most_bytes=200_000_000)),
        ("1.5GiB", Portion(most_bytes=3 << 29)), ("7B", Portion(most_bytes=7)),
        ("1 kB", Portion(most_bytes=1000)), ("2KiB", Portion(most_bytes=2048)), ("3TB", Portion(most_bytes=3 * 10**12)),
    ],
)  # fmt: skip
def test_a_part_of_a_disk_is_a_percentage_or_a_size(text: str, meant: Portion) -> None:
    assert portion(text) == meant


@pytest.mark.parametrize("text", ["", "12", "101%", "-1%", "1 XB", "MB", "1e3MB", "1 M", "all", "٣%"])
def test_another_text_is_no_part_of_a_disk(text: str) -> None:
    with pytest.raises(ValueError, match="%"):
        portion(text)


def test_a_part_of_a_disk_of_unknown_size_is_its_most_or_unknown() -> None:
    assert Portion(50, 1000).of(None) == 1000
    assert Portion(50).of(None) is None
    assert Portion(50, 1000).of(400) == 200
    assert Portion(50, 1000).of(4000) == 1000
