import pytest
from scipy import stats

from farm.analysis.canary import is_out_of_bounds


@pytest.mark.parametrize(
    ("changed", "canaries", "out"),
    [
        (0, 0, False),
        (0, 1, False),
        (1, 1, False),
        (2, 2, True),
        (1, 20, False),
        (4, 20, False),
        (5, 20, True),
    ],
)
def test_a_run_is_in_doubt_where_canaries_change_more_often_than_chance_allows(changed, canaries, out):
    assert is_out_of_bounds(changed, canaries) is out


@pytest.mark.parametrize("changed", [0, 1])
def test_canaries_that_hardly_ever_change_are_what_is_wanted(changed):
    """The two-sided test would call 200 quiet canaries out of bounds."""
    assert stats.binomtest(changed, 200, 0.05).pvalue < 0.01
    assert not is_out_of_bounds(changed, 200)


def test_counts_that_cannot_be_do_not_raise():
    assert is_out_of_bounds(5, 2)
    assert not is_out_of_bounds(-1, -1)
