"""A step of a bisect: its build is got, and measured against another one in one lease."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from farm.bisect.builds import Builds
from farm.bisect.memory import State
from farm.bisect.nouns import Part, Question, Step
from farm.bisect.reading import Failed, changed, step_of
from farm.bisect.same import differences
from farm.cli.bench.bench import Benching, benched, is_wheel_of_any_use
from farm.cli.bench.finish import say_failures, write_report
from farm.cli.terminal.console import say
from farm.cli.terminal.progress import Bar
from farm.errors import RequestError
from farm.inventory import read_devices
from farm.model.build import Build
from farm.model.comparison import Comparing, Verdict
from farm.model.matrix import Plan
from farm.model.request import DEFAULT_PAIRS, Request
from farm.model.run import Results, RunStatus
from farm.plan.models import read_models
from farm.plan.prepare import prepare
from farm.store.runs import RunDirectory

ENDED = frozenset({RunStatus.COMPLETED, RunStatus.PARTIAL})


@dataclass(frozen=True)
class Bench:
    """What all steps have in common: the cell, the builds, how they are measured, and the name of the bisect,
    which those of its runs begin with.
    """

    request: Request
    builds: Builds
    how: Benching
    name: str

    def check(self, state: State) -> None:
        """Whether GOOD and BAD can be measured, as far as is known before anything is made or a device is
        touched. Raises RequestError.
        """
        if self.builds.is_made:
            read_devices(self.request.inventory, self.request.devices)
            read_models(self.request.models)
            return
        question = Question(Part.ENDS, 0, len(state.names) - 1, self.request.comparing.minimum_effect, 0)
        builds = self._got(question, state)
        if not isinstance(builds, Step):
            self._refusal(self._request(question, builds, state, None), question, builds[0])

    def measured(self, question: Question, state: State, left_s: float | None) -> Step | Failed:
        """Raises RequestError and RunError; a candidate that cannot be measured is a step without times."""
        builds = self._got(question, state)
        if isinstance(builds, Step):
            return builds
        request = self._request(question, builds, state, left_s)
        why = self._refusal(request, question, builds[0])
        if why is not None:
            return Step(question, Verdict.INVALID, why=why)
        step = self._run(question, request, request.ab, len(state.steps) + 1)
        if isinstance(step, Step) and (why := changed(state.steps, step, state.names)):
            raise RequestError(why, hint="begin a new bisect: the steps so far are of something else")
        return step

    def _got(self, question: Question, state: State) -> tuple[Build, Build] | Step:
        """Both builds; the step where there is no candidate. GOOD and BAD have to be there."""
        baseline, candidate = (self.builds.get(place) for place in (question.baseline, question.candidate))
        if isinstance(baseline, str):
            raise RequestError(f"{state.names[question.baseline]} cannot be measured: {baseline}")
        if not isinstance(candidate, str):
            return baseline, candidate
        if question.part is Part.ENDS:
            raise RequestError(f"{state.names[question.candidate]} cannot be measured: {candidate}")
        return Step(question, Verdict.INVALID, why=candidate)

    def _request(
        self, question: Question, builds: Sequence[Build], state: State, left_s: float | None
    ) -> Request:
        names = tuple(build.name for build in builds)
        return replace(
            self.request,
            rounds=DEFAULT_PAIRS,
            fresh=question.pairs,
            comparing=Comparing(question.minimum_effect),
            ab=names,
            builds=names,
            defined=() if self.builds.is_of_file else tuple(builds),
            budget_s=left_s,
            seed=state.seed + len(state.steps),
        )

    def _refusal(self, request: Request, question: Question, baseline: Build) -> str | None:
        """Why the candidate cannot be run on the device, as far as is known before it is touched. Raises
        RequestError for what the candidate is not to blame for, and for more than one cell.
        """
        try:
            plan = _planned(request)
        except RequestError as error:
            if question.part is Part.ENDS:
                raise
            own = replace(request, ab=(), builds=(baseline.name,))
            _planned(own if self.builds.is_of_file else replace(own, defined=(baseline,)))
            return str(error)
        if len(plan.duels) != 1:
            cells = ", ".join(duel.candidate for duel in plan.duels[:5])
            raise RequestError(
                f"a bisect follows one cell, and there are {len(plan.duels)}: {cells}",
                hint="name one device, one --model and at most one --variant",
            )
        return None

    def _run(self, question: Question, request: Request, names: Sequence[str], number: int) -> Step | Failed:
        """The first run of this step that ended and answers it, or a new one. Raises RequestError where a run
        has its name, and is another one.
        """
        name, again = f"{self.name}-step-{number}", 1
        while (self.how.runs_dir / name).exists():
            step = self._read(RunDirectory(self.how.runs_dir / name), question, request, names)
            if step is not None:
                return step
            again += 1
            name = f"{self.name}-step-{number}-again-{again}"
        began = time.monotonic()
        results, _ = benched(request, replace(self.how, run_id=name), _finished)
        return step_of(question, results, names, time.monotonic() - began)

    def _read(
        self, directory: RunDirectory, question: Question, request: Request, names: Sequence[str]
    ) -> Step | None:
        """A run that ended before it was noted; None for one that was interrupted, or answers nothing. Raises
        RequestError for one of something else.
        """
        try:
            results = directory.results()
        except RequestError:
            return None
        if results.status not in ENDED:
            return None
        if differs := differences(_planned(request), results):
            raise RequestError(
                f"the run {directory.run_id} is not the one that is asked for: {'; '.join(differs[:5])}",
                hint="begin a new bisect under another --run-id",
            )
        step = step_of(question, results, names, _took_s(results))
        if isinstance(step, Step):
            say(f"{directory.run_id} has ended already")
            return step
        return None


def _planned(request: Request) -> Plan:
    with Bar() as bar:
        return prepare(request, bar.update, fetch=False, of_use=is_wheel_of_any_use).plan


def _finished(directory: RunDirectory, results: Results) -> bool:
    say_failures(results)
    return write_report(directory, results) is not None


def _took_s(results: Results) -> float:
    """By the clock of this machine, which somebody may have set."""
    try:
        began, ended = (datetime.fromisoformat(one or "") for one in (results.started_at, results.ended_at))
        return max(0.0, (ended - began).total_seconds())
    except (ValueError, TypeError):
        return 0.0
