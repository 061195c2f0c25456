"""What of a device's store is removed when room is needed. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterator

from farm.device.disk.stock import Stock, Stored, StoredTree

Removal = Stored | StoredTree


def removable(stock: Stock, needed: Container[str] = frozenset()) -> Iterator[Removal]:
    """All that may go, in this order: what is no whole file; files that no tree links to; the tree that was
    not used for longest and the files that only it links to, then the next one. Nothing that is `needed`
    (digests), no matter how old, and no tree whose files are all needed.
    """
    for file in stock.files:
        if file.sha256 is None and file.path.rpartition("/")[2] not in needed:
            yield file
    links = Counter(sha256 for tree in stock.trees for sha256 in tree.sha256s)
    whole = [file for file in stock.files if file.sha256 is not None and file.sha256 not in needed]
    yield from (file for file in whole if not links[file.sha256 or ""])
    named: dict[str | None, list[tuple[int, Stored]]] = defaultdict(list)
    for place, file in enumerate(whole):
        named[file.sha256].append((place, file))
    for tree in stock.trees:
        if tree.sha256s and all(sha256 in needed for sha256 in tree.sha256s):
            continue
        yield tree
        links.subtract(tree.sha256s)
        freed = [one for sha256 in tree.sha256s if not links[sha256] for one in named.pop(sha256, ())]
        yield from (file for _, file in sorted(freed))


def enough(removals: Iterator[Removal], wanted_bytes: int) -> tuple[tuple[Removal, ...], int]:
    """The first of `removals` that free so much together, or all of them; and the bytes that they free."""
    taken: list[Removal] = []
    freed_bytes = 0
    while freed_bytes < wanted_bytes and (one := next(removals, None)) is not None:
        taken.append(one)
        freed_bytes += one.size_bytes if isinstance(one, Stored) else 0
    return tuple(taken), freed_bytes
