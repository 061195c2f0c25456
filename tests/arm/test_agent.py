"""The scenarios of `tests/agent` that need no file or process of this machine, on a real board."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.agent.conftest import agent, epoch  # noqa: F401
from tests.agent.shells import until
from tests.agent.test_jobs import (  # noqa: F401
    test_a_cut_connection_loses_no_round,
    test_a_job_needs_the_lease,
    test_a_job_runs_and_its_end_is_told,
    test_a_job_starts_once,
    test_a_program_that_cannot_run_is_told_by_its_exit_code,
    test_a_signal_is_128_and_its_number,
    test_dropping_waits_for_the_end_and_may_be_repeated,
    test_folders_are_made_before_the_program_starts,
)
from tests.agent.test_lease import (  # noqa: F401
    test_a_lease_is_resumed_in_another_session,
    test_epochs_rise_from_lease_to_lease,
    test_of_many_who_want_a_device_at_once_one_gets_it,
)
from tests.agent.test_leftovers import (  # noqa: F401
    test_release_leaves_no_process_and_frees_the_device,
    test_what_a_program_leaves_behind_ends_with_it,
)
from tests.agent.test_limits import (  # noqa: F401
    test_a_limit_of_0_is_none,
    test_a_round_that_is_longer_than_its_limit_is_ended,
    test_a_round_that_is_silent_for_longer_than_its_limit_is_ended,
    test_a_round_that_speaks_is_not_silent,
    test_silence_counts_from_the_last_word,
)
from tests.agent.test_reading import (  # noqa: F401
    test_what_is_left_of_a_job_comes_at_once_as_far_as_it_is_not_long,
)
from tests.agent.test_store import (  # noqa: F401
    test_a_damaged_upload_is_refused_and_removed,
    test_an_empty_file_is_a_file,
    test_an_upload_from_0_begins_anew,
    test_an_upload_that_broke_off_goes_on_where_it_stopped,
)
from tests.agent.test_telemetry import (  # noqa: F401
    test_telemetry_says_what_its_columns_are,
)
from tests.agent.test_waits import (  # noqa: F401
    test_an_end_is_told_when_it_comes_and_behind_it_what_was_asked_with_it,
    test_many_jobs_may_be_waited_for,
)
from tests.arm.board import Board
from tests.arm.phones import BoardPhone, There

pytestmark = [pytest.mark.arm, pytest.mark.long, pytest.mark.timeout(900)]
NUMBERS = itertools.count(1)


@pytest.fixture
def phone(shared: Board) -> Iterator[BoardPhone]:
    """A folder of its own on the board; after the test nothing may run there any more."""
    folder: Any = There(shared, f"/root/test-{next(NUMBERS)}")
    phone = BoardPhone(folder, "", "ash", board=shared)
    yield phone
    for talk in phone.talks:
        if not talk.process.stdin.closed:
            talk.leave()
    until(lambda: not phone.processes())
    shared.run(f"rm -rf {phone.folder}")
