"""The shapes of entries in inventories, suites and builds files, and what is told of a wrong one."""

from __future__ import annotations

import re
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import ErrorDetails

from farm.errors import RequestError
from farm.inventory.conditions import parse
from farm.model.build import Condition
from farm.suggest import nearest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names of devices, groups, tags, models, variants: safe in a path, an option value, a selector."""

NAME_RULE = "letters, digits and . _ -, at most 64, the first a letter or digit"


class Entry(BaseModel):
    """A mapping of an inventory or suite file: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --------------------------------------------------------------------------- values


def listed(value: object) -> object:
    """One value in place of a list."""
    return [value] if isinstance(value, str) else [] if value is None else value


Text = Annotated[str, WithJsonSchema({"type": ["string", "number", "boolean"]})]
"""Any scalar, as it was typed."""

TEXTS_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}

Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(listed),
    WithJsonSchema(TEXTS_SCHEMA),
]
"""One text or a list of them."""


def _parsed(texts: object) -> object:
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("should be a condition or a list of conditions")
    try:
        return tuple(condition for text in texts for condition in parse(text))
    except RequestError as error:
        raise ValueError(error.message) from error


Conditions = Annotated[
    tuple[Condition, ...], BeforeValidator(_parsed), BeforeValidator(listed), WithJsonSchema(TEXTS_SCHEMA)
]
"""Conditions, from one text or a list of them; all must hold."""


# --------------------------------------------------------------------------- what is wrong

MESSAGES = {
    "missing": "is missing",
    "int_parsing": "{shown} is not a whole number",
    "int_type": "should be a whole number",
    "float_parsing": "{shown} is not a number",
    "float_type": "should be a number",
    "bool_parsing": "{shown} is not true or false",
    "bool_type": "should be true or false",
    "string_type": "should be text",
    "dict_type": 'should be a mapping of "key: value"',
    "model_type": 'should be a mapping of "key: value"',
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "greater_than_equal": "{shown} is less than {ge}",
    "less_than_equal": "{shown} is more than {le}",
    "too_short": "should have at least {min_length}",
    "too_long": "should have at most {max_length}",
}
"""Messages for the types of pydantic's errors; pydantic's own for the rest."""


def message_of(model: type[BaseModel], detail: ErrorDetails) -> str:
    """The message for one of pydantic's errors about a `model`, with the nearest correct name."""
    shown = f'"{detail["input"]}"'
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key{nearest(str(detail['loc'][-1]), _keys_at(model, detail['loc'][:-1]))}"
        case "enum" | "literal_error":
            known = re.findall(r"'([^']*)'", context["expected"])
            return f"{shown} is not one of {', '.join(known)}{nearest(str(detail['input']), known)}"
        case "value_error":
            return str(context["error"])
        case kind:
            message = MESSAGES.get(kind, detail["msg"].replace("Input should", "should"))
            return message.format(shown=shown, **context) if kind in MESSAGES else message


def _keys_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys that the entry at `loc` of a `model` may have."""
    for step in loc:
        info = model.model_fields.get(str(step))
        nested = [] if info is None else _models_in(info.annotation)
        if nested:
            model = nested[0]
    return list(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models_in(argument)]
