"""The winner as a suite that `farm bench --suite` takes, with its evidence, and as a command. Pure."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from farm.model.request import ModelRequest
from farm.options import from_mapping, words
from farm.options.input_spec import parse_input
from farm.plan.request import BUNDLED
from farm.tune.nouns import DEFAULT, Candidate, Tune
from farm.visible import one_line

TUNED = "tuned"


def suite_text(tune: Tune, winner: Candidate, model: ModelRequest, folder: Path) -> str:
    """A suite with the default and the winner. `folder` is where the paths of the request begin.

    What is in it is JSON, which is YAML, so that no name needs other quotes.
    """
    entry = {"bundled": model.bundled} if model.bundled else {"file": str(folder / (model.file or ""))}
    if model.input is not None:
        entry["input"] = _absolute(model.input, folder)
    options = {
        name: shlex.join(words(from_mapping(tune.by_name[name].options))) for name in (DEFAULT, winner.name)
    }
    lines = [
        *(f"# {line}" for line in evidence(tune)),
        f"models: {_json({tune.model: entry})}",
        "variants:",
        f"  {DEFAULT}: {_json(options[DEFAULT])}",
        f"  {TUNED}: {_json(options[winner.name])}",
        f"ab: [{DEFAULT}, {TUNED}]",
        "canary: false",
    ]
    return "\n".join(lines)


def evidence(tune: Tune) -> tuple[str, ...]:
    """Comment lines: what was found, on what, how surely, and in which runs."""
    found = tune.confirmation
    assert found is not None, "there is a winner"
    runs = [one.run for one in tune.steps if one.run] + [found.run or ""]
    lines = (
        f"Found by farm tune {tune.id}, which began {tune.started_at}.",
        f"{found.candidate}: {found.sentence}",
        f"ratio to the default {found.ratio:.4f}"
        + _interval(found.low, found.high)
        + f", {found.pairs} pairs",
        f"device {tune.device}: {tune.about}",
        f"model {tune.model}, SHA-256 {tune.model_sha256}",
        f"runs: {', '.join(runs)}",
    )
    return tuple(one_line(line, 300) for line in lines)


def command_text(tune: Tune, winner: Candidate, model: ModelRequest) -> str:
    """A command line to paste."""
    name = f"{BUNDLED}{model.bundled}" if model.bundled else str(model.file)
    given = ("--input", model.input) if model.input is not None else ()
    where = ("--inventory", tune.asked.inventory) if tune.asked.inventory else ()
    options = words(from_mapping(winner.options))
    return shlex.join(("farm", "bench", *where, "--devices", tune.device, "--model", name, *given, *options))


def _interval(low: float | None, high: float | None) -> str:
    return f" (95 %: {low:.4f} to {high:.4f})" if low is not None and high is not None else ""


def _absolute(text: str, folder: Path) -> str:
    """An `--input` whose files do not depend on the folder that it is read in."""
    pieces = []
    for part in parse_input(text):
        value = part.inline or "" if part.path is None else str(folder / part.path)
        pieces.append(value if part.tensor is None else f"{part.tensor}:{value}")
    return ";".join(pieces)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
