"""No bytes of a device make a parser crash: it gives a value, or an error that its callers expect.

The suite reads the corpus and the same few inputs each time; `scripts/fuzz-parsers` (tests/fuzz/campaign.py) new ones.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.feeding import CORPUS, check, feed
from tests.fuzz.parsers import PARSERS


@pytest.mark.parametrize("name", PARSERS)
def test_no_bytes_make_a_parser_crash(name: str) -> None:
    assert feed(name).inputs > 0


@pytest.mark.parametrize(
    "path", sorted(CORPUS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_what_made_a_parser_crash_once_does_so_no_more(path: Path) -> None:
    check(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("name", PARSERS)
def test_the_examples_are_honest(name: str) -> None:
    """Else everything would be refused at the first byte: each has at least one that is read."""
    parser = PARSERS[name]
    read = []
    for one in parser.seeds:
        try:
            read.append(parser.read(one))
        except parser.may_raise:
            continue
    assert any(read)
