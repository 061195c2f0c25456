"""What a device can do at most, given in its inventory."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.inventory.devices import load
from farm.model.limits.ceilings import GivenCeilings

CEILINGS = """
groups: {lab: {ceilings: {gflops: 48, gbps: 12.5}}}
devices:
  a: {group: lab}
  b:
    group: lab
    cores: {fast: 4-7}
    ceilings:
      - {gflops: 20, gbps: 9, cores: fast, threads: 4}
      - {gflops: 8000, gbps: 500, gpu: true}
  c:
"""


def test_ceilings_are_one_entry_or_several_and_replace_those_of_the_groups(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(CEILINGS)
    assert [device.ceilings for device in load(file).devices] == [
        (GivenCeilings(48, 12.5),),
        (
            GivenCeilings(20, 9, threads=4, cores="fast", is_gpu=False),
            GivenCeilings(8000, 500, is_gpu=True),
        ),
        (),
    ]


@pytest.mark.parametrize(
    ("ceilings", "says"),
    [
        ("{gflops: 0, gbps: 1}", "ceilings[1].gflops: should be greater than 0"),
        ("{gflops: nan, gbps: 1}", "finite"),
        ("{gflops: 1e400, gbps: 1}", "finite"),
        ("{gflops: 1, gbps: 1e10}", "ceilings[1].gbps"),
        ("{gflops: 1}", "ceilings[1].gbps: is missing"),
        ("{gflop: 1, gbps: 1}", "did you mean gflops?"),
        ("[{gflops: 1, gbps: 1, cores: fats}]", "did you mean fast?"),
        ("[{gflops: 1, gbps: 1, threads: 0}]", "threads"),
        ("[{gflops: 1, gbps: 1, gpu: true, threads: 2}]", "do not compute there"),
        ("fast", "ceilings: should be a list"),
    ],
)
def test_ceilings_that_mean_nothing_are_a_mistake_in_their_line(
    tmp_path: Path, ceilings: str, says: str
) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(f"devices:\n  d: {{cores: {{fast: 4-7}}, ceilings: {ceilings}}}\n")
    with pytest.raises(RequestError) as refused:
        load(file)
    assert says in str(refused.value)
    assert f"{file}:2" in str(refused.value.source) + str(refused.value)
