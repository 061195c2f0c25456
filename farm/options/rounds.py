"""One request, several rounds: what disturbs times gets a separate round."""

from __future__ import annotations

from farm.model.device import RuntimeKind
from farm.model.matrix import RoundKind
from farm.model.options import OptionSet, Value
from farm.options.catalogue import BY_NAME
from farm.options.check import ModelKind, check
from farm.options.parse import build, without
from farm.options.row import Option

COMPANIONS = {
    "fitting": "dump-fitting-model",
    "pack-info-json": "packed-model-dump",
    "pack-cache": "packed-model-dump",
    "pack-info-cryption": "packed-model-dump",
    "pack-model-cryption": "packed-model-dump",
}
"""Options that go into the round of another one, if that is set."""


def split_rounds(options: OptionSet) -> tuple[tuple[RoundKind, OptionSet], ...]:
    """The rounds that an option set asks for.

    First the timed one, without profiles, dumps, checks and searches; then one for each of those, with the
    timed options, just enough iterations, and one run at a time: concurrent runs would overwrite the files.
    """
    separate = [BY_NAME[name] for name, _ in options.values if not BY_NAME[name].is_timed]
    timed = without(options, *(row.name for row in separate))
    leaders = [row for row in separate if _leader(row, options) == row.name]
    rounds = [(RoundKind.TIMED, timed)]
    for leader in leaders:
        members = [row.name for row in separate if _leader(row, options) == leader.name]
        rounds.append(
            (
                leader.round_kind,
                _observing(leader, timed, {name: options.as_dict()[name] for name in members}),
            )
        )
    return tuple(rounds)


def _leader(row: Option, options: OptionSet) -> str:
    """The option in whose round this one goes: its companion if that is set, else itself."""
    companion = COMPANIONS.get(row.name, row.name)
    return companion if companion in options else row.name


def _observing(row: Option, timed: OptionSet, members: dict[str, Value]) -> OptionSet:
    values = without(timed, "thread").as_dict() | members
    for name, count in (("iter", row.observe_iter), ("warmup-iter", row.observe_warmup)):
        if count is not None:
            values[name] = count
    if row.observe_warmup == 0 and "fake-first" in timed:
        values["warmup-iter"] = 1  # the first run computes nothing: there must be a second
    return build(values)


OUTPUT_DUMP = "bin-out-dump"
CHECK_RUNS = 2
"""Runs of the model in one check round: a seeded random operator gives other numbers in the second one."""

_NOT_CHECKED = ("thread", "fake-first", "copy-to-host")
"""Options that change nothing in an output, and that the dump of the outputs cannot be combined with."""


TENSOR_DUMP = "bin-io-dump"


def tensor_round(timed: OptionSet, runtime: RuntimeKind, model_kind: ModelKind) -> OptionSet | str:
    """The options of a round that writes every tensor, once; a text where they cannot be written: why."""
    values = without(timed, *_NOT_CHECKED).as_dict()
    options = build({**values, "iter": 1, "warmup-iter": 0, TENSOR_DUMP: "tensors"})
    refusals = check(options, runtime=runtime, model_kind=model_kind).refusals
    return refusals[0] if refusals else options


def check_round(timed: OptionSet, runtime: RuntimeKind, model_kind: ModelKind) -> OptionSet | str:
    """The options of a round that writes the model's outputs as the timed rounds compute them; a text where
    they cannot be written: why.
    """
    values = without(timed, *_NOT_CHECKED).as_dict()
    options = build({**values, "iter": CHECK_RUNS, "warmup-iter": 0, OUTPUT_DUMP: "outputs"})
    refusals = check(options, runtime=runtime, model_kind=model_kind).refusals
    return refusals[0] if refusals else options
