"""What is said of a bisect, for each of its ends."""

from __future__ import annotations

import json

import pytest

from farm.bisect.nouns import CODES, Kind, Question, Step
from farm.bisect.search import ahead
from farm.bisect.telling import Told, as_json, conclusion, markdown
from farm.model.comparison import Effect, Verdict

NAMES = ("v0", "v1", "v2|x", "v3", "v4")


def told(times: list[float], budget_s: float = 100.0, **answers: Verdict) -> Told:
    """A bisect of five builds; `answers` are those to a part, whatever the times say."""
    steps: list[Step] = []
    while isinstance(asked := ahead(len(NAMES), 0.03, steps, budget_s), Question):
        ratio = times[asked.candidate] / times[asked.baseline]
        exact = Verdict.SLOWER if ratio > 1 + asked.minimum_effect else Verdict.UNCHANGED
        verdict = answers.get(asked.part.value, exact)
        effect = Effect(ratio, ratio * 0.999, ratio * 1.001, None, None, 0.001, 20)
        took_s = 40.0 if verdict is Verdict.INCONCLUSIVE else 5.0
        is_wrong = verdict is Verdict.INVALID
        steps.append(Step(asked, verdict, None if is_wrong else effect, "so it is", "b-step-1", 40, took_s))
    return Told("b", NAMES, tuple(steps), asked)


SLOW = [1.0, 1.0, 1.1, 1.1, 1.1]


@pytest.mark.parametrize(
    ("made", "kind", "says"),
    [
        (told(SLOW), Kind.FOUND, ["the first slower build is v2|x: so it is", "it has 100 % of the whole"]),
        (told([1.0, 1.0, 1.08, 1.0, 1.15]), Kind.FOUND, ["it has 55.1 %", "farm bisect v0 v1, farm bisect v2|x v4"]),
        (told([1.0] * 5), Kind.NOT_SLOWER, ["v4 is not slower than v0: so it is"]),
        (told(SLOW, ends=Verdict.INVALID), Kind.NOT_MEASURED, ["v4 cannot be measured"]),
        (told(SLOW, 1000.0, ends=Verdict.INCONCLUSIVE), Kind.UNDECIDED, ["whether v4 is slower than v0 is not decided"]),
        (told(SLOW, middle=Verdict.INVALID), Kind.SKIPPED, ["one of v1, v2|x, v3, v4; the others cannot", "v3: so it is"]),
        (told(SLOW, confirm=Verdict.INVALID), Kind.UNCONFIRMED, ["is v2|x; v2|x is not confirmed"]),
        (told(SLOW, 50.0, middle=Verdict.INCONCLUSIVE), Kind.OUT_OF_BUDGET, ["one of v1, v2|x, v3, v4; the budget"]),
    ],
    ids=["found", "several", "not-slower", "not-measured", "open", "skipped", "unconfirmed", "budget"],
)  # fmt: skip
def test_each_end_says_what_is_known(made: Told, kind: Kind, says: list[str]) -> None:
    assert (made.end.kind, made.code) == (kind, CODES[kind])
    lines = "\n".join(conclusion(made))
    for part in says:
        assert part in lines
    record = json.loads(json.dumps(as_json(made, "r.html")))
    assert (record["end"], record["exit_code"]) == (kind.value, int(CODES[kind]))
    assert (record["first_slower"] is not None) == (kind is Kind.FOUND)
    assert len(record["steps"]) == len(made.steps)


def test_a_name_with_a_bar_stays_one_cell_of_the_page() -> None:
    page = markdown(told(SLOW), "r.html")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
    assert "Report of the deciding step: `r.html`" in page
