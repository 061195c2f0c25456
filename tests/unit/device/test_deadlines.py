"""The table of deadlines and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.cli.bench.deadline_options import with_deadlines
from farm.errors import RequestError
from farm.model.limits.deadlines import KEEPALIVE_MISSES, Deadlines, by_name
from farm.transport.base import Timeouts

SECONDS = st.floats(0.1, 1e5)


@given(reply_s=SECONDS, reconnect_s=SECONDS, connect_s=SECONDS)
def test_a_lease_outlives_every_outage_that_is_tried_to_be_mended(
    reply_s: float, reconnect_s: float, connect_s: float
):
    deadlines = Deadlines(reply_s=reply_s, reconnect_s=reconnect_s, connect_s=connect_s)
    timeouts = Timeouts.of(deadlines)
    silent_s = timeouts.keepalive_s * (timeouts.keepalive_misses + 1)
    assert timeouts.keepalive_misses == KEEPALIVE_MISSES
    assert silent_s <= deadlines.lost_s
    assert deadlines.beat_s + max(silent_s, reply_s) + reconnect_s < deadlines.lease_ttl_s
    assert deadlines.lease_ttl_s < 1_000_000_000  # what the agent takes


def test_a_silent_device_is_noticed_in_the_first_third_of_its_lease():
    deadlines, timeouts = Deadlines(), Timeouts()
    silent_s = timeouts.keepalive_s * (timeouts.keepalive_misses + 1)
    assert deadlines.beat_s + silent_s < deadlines.lease_ttl_s / 3


def test_each_deadline_says_what_it_is_and_has_one_option():
    deadlines = Deadlines()
    for name, row in by_name().items():
        assert row.metadata["text"]
        assert name in deadlines.ran_out(name)
        option = deadlines.more(name)
        assert option.startswith(row.metadata["option"] or f"--deadline {name}=")


def test_the_table_in_the_documentation_is_this_one():
    page = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")
    for name, row in by_name().items():
        option = row.metadata["option"] or f"--deadline {name}="
        line = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert option in line
        assert line.endswith(f"| {row.default:g} | {row.metadata['text']} |")


def test_deadlines_are_given_by_name():
    given = with_deadlines(Deadlines(reconnect_s=300), ["reply=5", "device=3600", "run=0"])
    assert (given.reply_s, given.device_s, given.run_s, given.reconnect_s) == (5, 3600, 0, 300)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("replay=5", "did you mean reply"),
        ("reply", "wants a number"),
        ("reply=soon", "wants a number"),
        ("reply=0", "wants a number"),
        ("device=-1", "wants a number"),
        ("run=nan", "wants a number"),
        ("run=inf", "wants a number"),
        ("reconnect=5", "--reconnect"),
        ("=5", "Names:"),
    ],
)
def test_a_deadline_that_is_none_is_refused_with_what_to_type(word: str, says: str):
    with pytest.raises(RequestError) as error:
        with_deadlines(Deadlines(), [word])
    assert says in f"{error.value.message} {error.value.hint}"
