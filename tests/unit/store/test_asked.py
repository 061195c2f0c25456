"""What was asked for comes back from request.json as it was."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.inventory import suite
from farm.model.limits.cooling import Cooldown
from farm.model.limits.deadlines import Deadlines
from farm.model.request import Request
from farm.options import CATALOGUE, parse
from farm.plan.request import Arguments, read_request
from farm.store.resume.asked import REQUEST, VERSION, Asked, keep_asked, read_asked

EXAMPLES = sorted((Path(__file__).parents[3] / "inventory").rglob("*nightly*.yaml"))


def there_and_back(folder: Path, request: Request) -> Request:
    asked = Asked(VERSION, folder, request, Deadlines(reply_s=2.5), Cooldown(45.0, 60.0))
    keep_asked(folder, asked)
    again = read_asked(folder)
    assert again == asked
    return again.request


def values() -> list[str]:
    """A flag with a value for every option that can be in a variant."""
    found = []
    for row in CATALOGUE:
        if row.name == "input" or not row.flag:
            continue
        for text in ([f"--{row.name}"], [f"--{row.name}", "1"], [f"--{row.name}", "x.txt"]):
            try:
                parse(text)
            except RequestError:
                continue
            found.append(" ".join(text))
    return found


@pytest.mark.parametrize("text", values())
def test_every_option_comes_back_with_its_type(tmp_path: Path, text: str) -> None:
    asked = read_request(Arguments(variants=(f"a={text}", "b="), models=("m.mge",), seed=7))
    again = there_and_back(tmp_path, asked)
    before, after = asked.variants[0].options, again.variants[0].options
    assert [(name, type(value), value) for name, value in after.values] == [
        (name, type(value), value) for name, value in before.values
    ]
    assert after.resets == before.resets
    assert after.digest == before.digest


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_a_suite_comes_back_with_its_rules_and_builds(tmp_path: Path, path: Path) -> None:
    suite.load(path)
    asked = read_request(Arguments(suite=path, seed=1))
    assert there_and_back(tmp_path, asked) == asked


def test_a_name_that_is_no_utf8_comes_back_as_its_bytes(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mge")
    again = there_and_back(tmp_path, read_request(Arguments(models=(name,), seed=1)))
    (model,) = again.models
    assert model.file is not None
    assert os.fsencode(model.file.name) == b"caf\xe9.mge"
    assert (tmp_path / REQUEST).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "not a request"),
        (b"[]", "not a request"),
        (b"\xff\xfe", "not a request"),
        (b"[" * 100_000, "not a request"),
        (b"{}", "unsupported version None"),
        (json.dumps({"version": 2}).encode(), "unsupported version 2"),
        (json.dumps({"version": 1, "folder": 3, "request": {}}).encode(), "folder"),
        (json.dumps({"version": 1, "folder": "/", "request": {"rounds": "many"}}).encode(), "request.rounds"),
    ],
)
def test_a_damaged_request_is_refused_with_its_place(tmp_path: Path, text: bytes, told: str) -> None:
    (tmp_path / REQUEST).write_bytes(text)
    with pytest.raises(RequestError, match=told):
        read_asked(tmp_path)


def test_a_run_of_a_former_version_says_that_it_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="does not say what was asked for"):
        read_asked(tmp_path)
