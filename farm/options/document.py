"""docs/options.md, made from the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from farm.model.device import RuntimeKind
from farm.model.matrix import RoundKind
from farm.options.catalogue import CATALOGUE
from farm.options.row import Group, Option, Works, condition
from farm.options.rules import RULES, Act, Rule
from farm.options.values import usage

INTRODUCTION = """\
# Options of load_and_run

Made from the catalogue in `farm/options/` by `farm.options.document`; a test keeps it current.

`farm bench` takes every option under its own name, with dashes or underscores. An option set is checked
before any device is touched; what would be ignored, crash, hang or mislead is refused, with an alternative.
Options that disturb times (profiles, dumps, checks, verbose logs) get a separate round next to the timed
ones; the files that they write are pulled and listed by role in `results.json`.

**native** is a `load_and_run` program built for the device, **wheel** the libraries of the MegEngine 1.13.0
wheel, driven by farm's own script. Both take the same command line. The flags of a native program
depend on its build: farm reads its `--help`.
"""

ROUNDS = {
    RoundKind.TIMED: "timed",
    RoundKind.PROFILE: "separate (profile)",
    RoundKind.DUMP: "separate (dump)",
    RoundKind.INFO: "separate (info)",
    RoundKind.SETUP: "separate (setup)",
}
ACTS = {Act.REFUSE: "Refused", Act.WARN: "Run with a warning", Act.NOTE: "Run with a note"}


def document() -> str:
    """The page, as Markdown."""
    parts = [INTRODUCTION, _contents(), *(_group(group) for group in Group), _combinations(), _spellings()]
    return "\n".join(parts)


def _contents() -> str:
    links = (f"[{group}](#{_anchor(group)})" for group in Group)
    return " · ".join((*links, "[Combinations](#combinations)", "[Other spellings](#other-spellings)")) + "\n"


def _group(group: Group) -> str:
    rows = [row for row in CATALOGUE if row.group is group]
    table = _table(
        ("option", "default", "round", "native", "wheel", "what it does"),
        [
            (
                f"`{usage(row)}`{'' if row.documented else ' ¹'}",
                _default(row),
                ROUNDS[row.round_kind],
                _support(row, RuntimeKind.NATIVE),
                _support(row, RuntimeKind.WHEEL),
                row.help,
            )
            for row in rows
        ],
    )
    undocumented = "" if all(row.documented for row in rows) else "¹ not in MegEngine's documentation\n\n"
    return f"## {group}\n\n{table}\n{undocumented}{''.join(_details(row) for row in rows)}"


def _details(row: Option) -> str:
    """Details that are not in the table; empty for an option without any."""
    facts = [
        ("Reads", row.reads and f"`{row.reads}`"),
        ("Writes", row.writes and f"`{row.writes}`"),
        ("Limits", _limits(row)),
        ("Needs", _needs(row)),
        ("Native with Lite models", row.not_lite and f"not supported: {row.not_lite}"),
    ]
    lines = [f"- {name}: {text}\n" for name, text in facts if text]
    lines += [f"- Trap: {trap}\n" for trap in row.traps]
    return f"**`--{row.name}`**\n\n{''.join(lines)}\n" if lines else ""


def _limits(row: Option) -> str | None:
    if row.limit_reason is None or row.minimum is None:
        return None
    return f"{row.minimum:g} or more ({row.limit_reason})"


def _needs(row: Option) -> str | None:
    needs = row.needs
    found = [
        f"a build with {needs.build}" if needs.build and needs.build.startswith("MG") else needs.build,
        "an NVIDIA GPU" if needs.nvidia_gpu else None,
        f"a CPU with {' or '.join(needs.cpu_features)}" if needs.cpu_features else None,
        f"made for {' or '.join(needs.meant_for)}" if needs.meant_for else None,
    ]
    return "; ".join(filter(None, found)) or None


def _support(row: Option, runtime: RuntimeKind) -> str:
    support = row.support(runtime)
    if row.not_lite and runtime is RuntimeKind.NATIVE:
        support = condition("; ".join(filter(None, (support.why, "not with Lite models or `--lite`"))))
    elif row.not_lite and not row.wheel_with_lite:
        support = condition("; ".join(filter(None, (support.why, "not with `--lite`"))))
    return support.works.value if support.works is Works.YES else f"{support.works}: {support.why}"


def _default(row: Option) -> str:
    if row.default is None or row.default == -1:
        return "off"
    return f"`{row.default}`"


def _combinations() -> str:
    sections = [
        "## Combinations\n\nConstraints between options; they are checked before any device is touched.\n"
    ]
    for act, title in ACTS.items():
        rules = [rule for rule in RULES if rule.act is act]
        table = _table(("where", "options", "why", "instead"), [_rule(rule) for rule in rules])
        sections.append(f"### {title}\n\n{table}")
    return "\n".join(sections)


def _rule(rule: Rule) -> tuple[str, ...]:
    runtimes = "both" if len(rule.runtimes) > 1 else next(iter(rule.runtimes)).value
    where = runtimes if rule.interface is None else f"{runtimes}, {rule.interface}"
    count = f"{rule.count} or more of " if rule.count > 1 else "one of " if len(rule.any_of) > 1 else ""
    words = [
        " and ".join(_names(rule.all_of)),
        count + ", ".join(_names(rule.any_of)) if rule.any_of else "",
        "without " + ", ".join(_names(rule.none_of)) if rule.none_of else "",
    ]
    return where, "; ".join(filter(None, words)), rule.reason, rule.instead


def _spellings() -> str:
    rows = [(f"`--{name}`", f"`--{row.name}`") for row in CATALOGUE for name in row.misspellings]
    table = _table(("the documentation writes", "load_and_run has"), rows)
    return f"## Other spellings\n\nAccepted, with a note.\n\n{table}"


def _names(names: tuple[str, ...]) -> list[str]:
    return [f"`--{name}`" for name in names]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _anchor(group: Group) -> str:
    return group.value.lower().replace(" ", "-")
