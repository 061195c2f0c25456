"""The winner as a suite that `farm bench --suite` takes, with its evidence, and as a command. Pure."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from farm.files import user_path
from farm.model.build import Build
from farm.model.device import Runtime
from farm.model.outputs import Check
from farm.model.request import ModelRequest
from farm.options import from_mapping, words
from farm.options.input_spec import parse_input
from farm.plan.request import BUNDLED
from farm.tune.nouns import DEFAULT, Candidate, Tune
from farm.visible import one_line

TUNED = "tuned"


def suite_text(
    tune: Tune, winner: Candidate, model: ModelRequest, folder: Path, build: Build | None = None
) -> str:
    """A suite with the default and the winner, and how they are compared. `folder` is where the paths of the
    request begin; `build` is what runs them, with choices where the suite is to define it.

    What is in it is JSON, which is YAML, so that no name needs other quotes.
    """
    entry = {"bundled": model.bundled} if model.bundled else {"file": str(folder / (model.file or ""))}
    if model.input is not None:
        entry["input"] = _absolute(model.input, folder)
    if tune.asked.golden is not None:
        entry["golden"] = str(folder / user_path(_golden(tune.asked.golden, tune.model)))
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
        *(f"{key}: {_json(value)}" for key, value in _comparing(tune).items()),
        *([f"builds: {_json(_builds(build, folder))}"] if build else []),
    ]
    return "\n".join(lines)


def _comparing(tune: Tune) -> dict[str, object]:
    """Keys of a suite: how far outputs and times may differ."""
    asked = tune.asked
    found: dict[str, object] = {"check": asked.check or Check.OUTPUTS.value}
    if asked.tolerance:
        found["tolerance"] = asked.tolerance
    if asked.minimum_effect is not None:
        found["minimum-effect"] = asked.minimum_effect
    return found


def _golden(text: str, model: str) -> str:
    """The path of `MODEL:FILE`, or of `FILE` alone."""
    return text.removeprefix(f"{model}:") or text


def _builds(build: Build, folder: Path) -> object:
    """Below `builds:` of a suite: a name, or a definition with paths that depend on no folder."""
    if not build.choices:
        return [build.name]
    choices = [
        {"when": [one.text for one in choice.when], "runtime": _runtime(choice.runtime, folder)}
        for choice in build.choices
    ]
    return {build.name: choices}


def _runtime(runtime: Runtime, folder: Path) -> dict[str, object]:
    program = runtime.program
    if program and not runtime.on_device:
        program = str(folder / program)
    keys = {
        "program": program,
        "libraries": [str(folder / one) for one in runtime.libraries],
        "on_device": runtime.on_device,
        "python": runtime.python,
        "overlay": {name: str(folder / one) for name, one in runtime.overlay},
        "preload": [str(folder / one) for one in runtime.preload],
    }
    return {"kind": runtime.kind.value} | {key: value for key, value in keys.items() if value}


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
        *_ran(tune),
        f"model {tune.model}, SHA-256 {tune.model_sha256}",
        f"runs: {', '.join(runs)}",
    )
    return tuple(one_line(line, 300) for line in lines)


def _ran(tune: Tune) -> tuple[str, ...]:
    """What ran the model, as far as that was said, or is known."""
    asked = tune.asked
    where = f" of {asked.builds}" if asked.builds else ""
    parts = (
        asked.build and f"build {asked.build}{where}",
        tune.runtime_digest and f"runtime SHA-256 {tune.runtime_digest}",
    )
    return (", ".join(part for part in parts if part),) if any(parts) else ()


def command_text(tune: Tune, winner: Candidate, model: ModelRequest) -> str:
    """A command line to paste."""
    name = f"{BUNDLED}{model.bundled}" if model.bundled else str(model.file)
    given = ("--input", model.input) if model.input is not None else ()
    where = ("--inventory", tune.asked.inventory) if tune.asked.inventory else ()
    build = ("--build", tune.asked.build) if tune.asked.build else ()
    builds = ("--builds", tune.asked.builds) if tune.asked.builds else ()
    options = words(from_mapping(winner.options))
    which = (*where, "--devices", tune.device, *build, *builds)
    return shlex.join(("farm", "bench", *which, "--model", name, *given, *options))


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
