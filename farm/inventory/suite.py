"""Door of suites: a YAML file in, `farm.model.request.Suite` out.

The keys are described in docs/suites.md and, for editors, in docs/schema/suite.schema.json.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, WithJsonSchema, model_validator

from farm import options as catalogue
from farm.errors import RequestError
from farm.files import is_file
from farm.inventory import builds
from farm.inventory.entry import TEXTS_SCHEMA, Conditions, Entry, Texts, listed
from farm.inventory.nightly import NightlyEntry, nightly_of
from farm.inventory.values import sampling
from farm.inventory.values.checks import parse_check, parse_tolerances
from farm.inventory.versions import upgrade
from farm.inventory.yaml_source import Document, Place, Scalar, read
from farm.model.build import Condition, Relation
from farm.model.options import OptionSet, Variant
from farm.model.request import MOST_PROFILE_ROUNDS, MOST_ROUNDS, CellRule, ModelRequest, Suite, VariantRequest
from farm.options.input_spec import parse_input
from farm.options.parse import parse_bare
from farm.suggest import nearest

BUNDLED = "bundled:"
WHEN = "when"

_T = TypeVar("_T")


# --------------------------------------------------------------------------- the shape of a file


def _file_or_bundled(value: object) -> object:
    if not isinstance(value, str):
        return value
    return {"bundled": value.removeprefix(BUNDLED)} if value.startswith(BUNDLED) else {"file": value}


class WhenEntry(Entry):
    """An entry that may be restricted to some devices."""

    when: Conditions = Field((), description="only on devices for which all of these conditions hold")


class ModelEntry(WhenEntry):
    """A model file, or a model that comes with farm."""

    file: str | None = Field(None, description="a path relative to this file")
    bundled: str | None = Field(None, description="the name of a model that comes with farm")
    input: str | None = Field(None, description="as for --input; paths are relative to this file")
    golden: str | None = Field(
        None, description="what its outputs should be: a .npy, a .npz or a folder of .npy files by output"
    )

    @model_validator(mode="after")
    def _has_one_origin(self) -> ModelEntry:
        if bool(self.file) == bool(self.bundled):
            raise ValueError("requires either file (a path) or bundled (a name)")
        return self


class RuleEntry(Entry):
    """A rule; it matches the cells for which everything in it holds."""

    when: Conditions = Field((), description="conditions, e.g. arch == aarch64; all must hold")
    device: Texts = Field((), description="globs; one must match")
    model: Texts = Field((), description="globs; one must match")
    variant: Texts = Field((), description="globs; one must match")
    reason: str | None = Field(None, description="the reason in the report for cells that are not run")

    @model_validator(mode="after")
    def _is_not_empty(self) -> RuleEntry:
        if not (self.when or self.device or self.model or self.variant):
            raise ValueError("requires when, device, model or variant: without them it matches every cell")
        return self


def _text_or(entry: type[Entry]) -> dict[str, Any]:
    return {"anyOf": [{"type": "string"}, entry.model_json_schema()]}


def _options_schema(*, with_when: bool) -> dict[str, Any]:
    mapping = catalogue.schema()
    if with_when:
        mapping["properties"] = {WHEN: TEXTS_SCHEMA, **mapping["properties"]}
    return {"anyOf": [{"type": "string"}, {"type": "null"}, mapping]}


def _mapping_of(values: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"type": "object", "additionalProperties": values})


_SWEPT = {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1}
_ROUNDS = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_ROUNDS}, {"const": "auto"}]}
_PROFILE_ROUNDS = {"type": "integer", "minimum": 1, "maximum": MOST_PROFILE_ROUNDS}
_TEXT_OR_NUMBER = {"type": ["string", "number"]}
_RULES = WithJsonSchema({"type": "array", "items": _text_or(RuleEntry)})
_BUILDS = {
    "anyOf": [
        *TEXTS_SCHEMA["anyOf"],
        {"type": "object", "additionalProperties": {"anyOf": [{"type": "null"}, builds.DEFINITION]}},
    ]
}


class SuiteFile(Entry):
    """What to run where: models x variants, under rules."""

    version: Literal[1] = Field(1, description="of the form of this file")
    devices: Texts = Field((), description="selector, as for --devices; default: all")
    rounds: Annotated[Any, WithJsonSchema(_ROUNDS)] = Field(
        None, description="timed rounds of each cell; auto: as many as the precision asks for"
    )
    budget: Annotated[Any, WithJsonSchema(_TEXT_OR_NUMBER)] = Field(
        None, description="the most time for the rounds of one device: 10m, 90s, 1.5h"
    )
    precision: Annotated[Any, WithJsonSchema(_TEXT_OR_NUMBER)] = Field(
        None, description="with rounds: auto, how narrow the 95 % interval is to be: 2%"
    )
    minimum_effect: Annotated[Any, WithJsonSchema(_TEXT_OR_NUMBER)] = Field(
        None, alias="minimum-effect", description="the smallest change that counts: 3%"
    )
    max_undecided: Annotated[Any, WithJsonSchema({"type": "integer", "minimum": 0})] = Field(
        None, alias="max-undecided", description="how many comparisons may stay undecided"
    )
    profile_rounds: Annotated[Any, WithJsonSchema(_PROFILE_ROUNDS)] = Field(
        None,
        alias="profile-rounds",
        description="rounds that write a profile, where one is asked for",
    )
    ab: Texts = Field((), description="builds, variants or models: the first is compared with each other one")
    canary: bool = Field(True, description="one cheap cell of each device is measured twice and compared")
    ceilings: bool = Field(True, description="what a device can do is measured for profiled cells")
    check: Annotated[str | None, WithJsonSchema({"enum": ["outputs", "off"]})] = Field(
        None, description="compare outputs before times; default: where there is something to compare"
    )
    tolerance: Texts = Field((), description="as for --tolerance: how far outputs may differ")
    options: Annotated[Any, WithJsonSchema(_options_schema(with_when=False))] = Field(
        None, description="load_and_run options of all variants; those of a variant take precedence"
    )
    models: Annotated[Any, _mapping_of(_text_or(ModelEntry))] = Field(
        description="by name; a text is a path, or bundled:NAME"
    )
    variants: Annotated[Any, _mapping_of(_options_schema(with_when=True))] = Field(
        None, description="load_and_run options by name of the variant: a command line or a mapping"
    )
    sweep: Annotated[Any, _mapping_of(_SWEPT)] = Field(
        None, description="values of options; every variant is run with every combination"
    )
    include: Annotated[Any, _RULES] = Field(
        None, description="when there are any: only cells that one of these matches are run"
    )
    exclude: Annotated[Any, _RULES] = Field(None, description="cells that one of these matches are not run")
    builds: Annotated[Any, WithJsonSchema(_BUILDS)] = Field(
        None, description="which builds run every cell: names, or definitions by name; default: inventory"
    )
    nightly: Annotated[Any, WithJsonSchema(NightlyEntry.model_json_schema())] = Field(
        None, description="how farm nightly runs this suite"
    )


def schema() -> dict[str, Any]:
    """JSON Schema of a suite file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "farm suite",
        **SuiteFile.model_json_schema(),
    }


# --------------------------------------------------------------------------- loading


def load(path: Path) -> Suite:
    """The suite in a file. Raises RequestError with file and line, for all mistakes at once."""
    document = upgrade(read(path))
    entry = document.check(SuiteFile, (), document.data)
    suite = Suite(
        path=path,
        models=_models(document),
        variants=_variants(document),
        options=_options_of(document, ("options",), document.data.get("options")),
        devices=",".join(entry.devices) or None if entry else None,
        **_sampling(document, entry),
        include=_rules(document, "include"),
        exclude=_rules(document, "exclude"),
        check=_try_read(document, ("check",), parse_check, entry.check) if entry else None,
        tolerances=(_try_read(document, ("tolerance",), parse_tolerances, entry.tolerance) if entry else None)
        or (),
        builds=_builds(document),
        defined=builds.defined(document),
        nightly=nightly_of(document),
    )
    _check_names_in_rules(document, suite)
    document.refuse()
    return suite


def _sampling(document: Document, entry: SuiteFile | None) -> dict[str, Any]:
    """How much is measured, and what is compared: fields of a Suite."""

    def read_text(key: str, reader: Callable[[str], _T]) -> _T | None:
        raw = document.data.get(key)
        if raw is not None and not isinstance(raw, Scalar):
            document.report((key,), "should be one value")
        return _try_read(document, (key,), reader, str(raw)) if isinstance(raw, Scalar) else None

    rounds = read_text("rounds", sampling.rounds_of)
    is_auto = rounds is not None and rounds.is_auto
    precision = read_text("precision", sampling.precision_of)
    if precision is not None and not is_auto:
        document.report(("precision",), "needs rounds: auto, else it has no effect")
    names = ",".join(entry.ab) if entry else ""
    return {
        "rounds": rounds.number if rounds else None,
        "is_auto": is_auto,
        "precision": precision,
        "minimum_effect": read_text("minimum-effect", sampling.minimum_effect_of),
        "max_undecided": read_text("max-undecided", sampling.undecided_of),
        "budget_s": read_text("budget", sampling.budget_s_of),
        "profile_rounds": read_text("profile-rounds", sampling.profile_rounds_of),
        "ab": (_try_read(document, ("ab",), sampling.names_in, names) or ()) if names else (),
        "canary": entry.canary if entry else True,
        "ceilings": entry.ceilings if entry else True,
    }


def _builds(document: Document) -> tuple[str, ...]:
    """The names below `builds:`; those without a definition are of a builds file, or `inventory`."""
    raw = document.data.get(builds.BUILDS)
    names = listed(raw) if not isinstance(raw, dict) else list(raw)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        document.report((builds.BUILDS,), "should be names, or a mapping of names and their definitions")
        return ()
    return tuple(str(name) for name in names)


def _models(document: Document) -> tuple[ModelRequest, ...]:
    models = []
    for name, raw in document.mapping("models").items():
        place: Place = ("models", name)
        document.check_name(place)
        entry = document.check(ModelEntry, place, _file_or_bundled(raw))
        if entry is None:
            continue
        file = document.beside(entry.file) if entry.file else None
        if file and not is_file(file):
            document.report((*place, "file"), f"no such file: {file}")
        golden = document.beside(entry.golden) if entry.golden else None
        if golden and not golden.exists():
            document.report((*place, "golden"), f"no such file: {golden}")
        source = document.source(place)
        given = None if entry.input is None else _input(document, (*place, "input"), entry.input)
        models.append(ModelRequest(file, entry.bundled, given, name, source, entry.when, golden))
    if "models" in document.data and not document.data["models"]:
        document.report(("models",), "is empty: define at least one model")
    return tuple(models)


def _input(document: Document, place: Place, text: str) -> str:
    """An `--input` with paths relative to the suite's folder made absolute."""
    pieces = []
    for part in _try_read(document, place, parse_input, text) or ():
        value = part.inline or ""
        if part.path is not None:
            file = document.beside(part.path)
            if not is_file(file):
                document.report(place, f"no such file: {file}")
            value = str(file)
        pieces.append(value if part.tensor is None else f"{part.tensor}:{value}")
    return ";".join(pieces)


def _variants(document: Document) -> tuple[VariantRequest, ...]:
    """The variants, each with every combination of the sweep."""
    axes = [_axis(document, option, values) for option, values in document.mapping("sweep").items()]
    bases = [_variant(document, name, raw) for name, raw in document.mapping("variants").items()]
    if axes and not bases:
        bases = [VariantRequest("", "", document.source(("sweep",)))]
    found = []
    for base in bases:
        column = (Variant(base.name, base.options),)
        place = ("variants", base.name) if base.name else ("sweep",)
        swept = _try_read(document, place, catalogue.product, column, *axes) if axes else column
        found += [
            VariantRequest(each.name, base.name or each.name, base.source, each.options, base.when)
            for each in swept or ()
        ]
    return tuple(found)


def _variant(document: Document, name: str, raw: object) -> VariantRequest:
    place: Place = ("variants", name)
    when: tuple[Condition, ...] = ()
    if isinstance(raw, dict) and WHEN in raw:
        checked = document.check(WhenEntry, place, {WHEN: raw[WHEN]})
        when = checked.when if checked else ()
        raw = {key: value for key, value in raw.items() if key != WHEN}
    _try_read(document, place, catalogue.variant_name, name)
    return VariantRequest(name, name, document.source(place), _options_of(document, place, raw), when)


def _axis(document: Document, option: str, values: object) -> tuple[Variant, ...]:
    place: Place = ("sweep", option)
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        document.report(place, "should be a list of values")
        return ()
    if any("," in value for value in values):
        document.report(place, "values with a comma cannot be swept; write variants instead")
        return ()
    return _try_read(document, place, catalogue.sweep, f"{option}={','.join(values)}") or ()


def _options_of(document: Document, place: Place, raw: object) -> OptionSet:
    """A command line or a mapping as an option set; each invalid option is reported with its line."""
    if raw is None:
        return OptionSet()
    if isinstance(raw, Scalar):
        return _try_read(document, place, _command_line, raw) or OptionSet()
    if not isinstance(raw, dict):
        document.report(place, "should be a command line or a mapping of options")
        return OptionSet()
    values = {name: _plain(value) for name, value in raw.items()}
    each = [
        _try_read(document, (*place, name), catalogue.from_mapping, {name: value})
        for name, value in values.items()
    ]
    if None in each:
        return OptionSet()
    return _try_read(document, place, catalogue.from_mapping, values) or OptionSet()


def _command_line(text: str) -> OptionSet:
    try:
        return parse_bare(shlex.split(text))[0]
    except ValueError as error:
        raise RequestError(str(error).replace("No closing", "no closing")) from None


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.value if isinstance(value, Scalar) else value


def _rules(document: Document, key: str) -> tuple[CellRule, ...]:
    rules = []
    for index, raw in enumerate(document.listing(key)):
        place: Place = (key, index)
        entry = document.check(RuleEntry, place, {WHEN: raw} if isinstance(raw, str) else raw)
        if entry is None:
            continue
        globs = [
            Condition(f"{subject}:{','.join(values)}", subject, Relation.MATCHES, values)
            for subject in ("device", "model", "variant")
            if (values := getattr(entry, subject))
        ]
        rules.append(CellRule((*globs, *entry.when), document.source(place), entry.reason))
    return tuple(rules)


def _check_names_in_rules(document: Document, suite: Suite) -> None:
    """A glob that matches no model or variant is a mistake: the rule would have no effect."""
    known = {
        "model": [str(model.name) for model in suite.models],
        "variant": [name for each in suite.variants for name in dict.fromkeys((each.name, each.base))],
    }
    for key in ("include", "exclude"):
        for index, rule in enumerate(getattr(suite, key)):
            for condition in rule.conditions:
                names = known.get(condition.subject) or ["default"] * (condition.subject == "variant")
                for glob in condition.values if names else ():
                    if not any(fnmatchcase(name, glob) for name in names):
                        text = f'no {condition.subject} matches "{glob}"{nearest(glob.strip("*?"), names)}'
                        document.report((key, index, condition.subject), text)


def _try_read(document: Document, place: Place, read_value: Callable[..., _T], *arguments: Any) -> _T | None:
    """The result of `read_value`; None, and a mistake at `place`, when it raises RequestError."""
    try:
        return read_value(*arguments)
    except RequestError as error:
        document.report(place, f"{error.message}; {error.hint}" if error.hint else error.message)
        return None
