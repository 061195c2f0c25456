"""Command line rules of gflags, as the C++ load_and_run has them: `-` and `_` are the same in a flag's name,
`--flag=v`, `--flag v`, `-flag`, `--flag`/`--noflag` for booleans, `--flagfile`, `--fromenv`, `--undefok`,
`--` ends the flags."""

import os
import re

from mge_flag_table import FLAGS

USAGE = "load_and_run <model_path> [options Flags...]"
LINE_WIDTH = 80
TRUE = ("1", "t", "true", "y", "yes")
FALSE = ("0", "f", "false", "n", "no")
RANGES = {"int32": (-(2**31), 2**31 - 1), "uint64": (0, 2**64 - 1)}


class FlagError(Exception):
    """A command line that gflags refuses: messages without their `ERROR: `."""

    def __init__(self, messages):
        Exception.__init__(self, "\n".join(messages))
        self.messages = messages


class Values(object):
    """One attribute for each flag; `given` holds the names that the command line set."""

    def __init__(self):
        self.given = set()
        for _, rows in FLAGS:
            for name, kind, default, _ in rows:
                setattr(self, name, convert(name, kind, default))


def table():
    return {name: (kind, default, text) for _, rows in FLAGS for name, kind, default, text in rows}


def convert(name, kind, text):
    if kind == "string":
        return text
    bad = FlagError(["illegal value '%s' specified for %s flag '%s'" % (text, kind, name)])
    if kind == "bool":
        if text.lower() not in TRUE + FALSE:
            raise bad
        return text.lower() in TRUE
    try:
        value = float(text) if kind == "double" else int(text, 16 if text[:2].lower() == "0x" else 10)
    except ValueError:
        raise bad
    low, high = RANGES.get(kind, (value, value))
    if not low <= value <= high or not re.match(r"^[-+0-9.a-zA-Z]+$", text):
        raise bad
    return value


def parse(argv):
    """(values, words that are no flags) of a command line without the program's name; raises FlagError."""
    flags, values, words = table(), Values(), []
    unknown, errors = {}, []
    arguments, first_words = list(argv), []
    while arguments:
        word = arguments.pop(0)
        if word == "--":
            first_words, arguments = arguments, []  # gflags puts these before the words it has passed
            break
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        typed, equals, text = word.lstrip("-").partition("=")
        name = typed.replace("-", "_")
        if name not in flags and name[:2] == "no" and name[2:] in flags:
            kind = flags[name[2:]][0]
            if kind != "bool":
                errors.append("boolean value (%s) specified for %s command line flag" % (typed, kind))
                continue
            name, equals, text = name[2:], "=", "false"
        if name not in flags:
            unknown.setdefault(name, "unknown command line flag '%s'" % typed)
            continue
        if not equals:
            if flags[name][0] == "bool":
                text = "true"
            elif arguments:
                text = arguments.pop(0)
            else:
                errors.append(
                    "flag '%s' is missing its argument; flag description: %s" % (word, flags[name][2])
                )
                continue
        try:
            _set(values, flags, name, text, unknown)
        except FlagError as error:
            errors += error.messages
    for name in values.undefok.split(","):
        name = name.strip().replace("-", "_")
        for spelling in (name, name[2:] if name[:2] == "no" else "no" + name):
            unknown.pop(spelling, None)
    errors += [unknown[name] for name in sorted(unknown)]
    if errors:
        raise FlagError(errors)
    return values, first_words + words


def _set(values, flags, name, text, unknown):
    setattr(values, name, convert(name, flags[name][0], text))
    values.given.add(name)
    if name == "flagfile":
        for path in text.split(","):
            try:
                with open(path) as stream:
                    lines = [line.strip() for line in stream]
            except (IOError, OSError) as error:
                raise FlagError(["unable to open flagfile %s: %s" % (path, error.strerror)])
            _set_lines(values, flags, [line for line in lines if line.startswith("-")], unknown)
    elif name in ("fromenv", "tryfromenv"):
        for wanted in text.split(","):
            wanted = wanted.replace("-", "_")
            if wanted not in flags:
                unknown.setdefault(
                    wanted, "unknown command line flag '%s' (via --fromenv or --tryfromenv)" % wanted
                )
            elif "FLAGS_" + wanted in os.environ:
                _set(values, flags, wanted, os.environ["FLAGS_" + wanted], unknown)
            elif name == "fromenv":
                raise FlagError(["FLAGS_%s not found in environment" % wanted])


def _set_lines(values, flags, lines, unknown):
    for line in lines:
        typed, equals, text = line.lstrip("-").partition("=")
        name = typed.replace("-", "_")
        if name in flags:
            _set(values, flags, name, text if equals else "true", unknown)
        else:
            unknown.setdefault(name, "unknown command line flag '%s'" % typed)


def _wrap(text):
    """gflags breaks a description at the last white space before column 80 and indents the rest by six."""
    done, used = "", 0
    while True:
        newline = text.find("\n")
        if newline < 0 and used + len(text) < LINE_WIDTH:
            return done + text, used + len(text)
        if 0 <= newline < LINE_WIDTH - used:
            done, text = done + text[:newline], text[newline + 1 :]
        else:
            space = LINE_WIDTH - used - 1
            while space > 0 and not text[space].isspace():
                space -= 1
            if space <= 0:
                return done + text, LINE_WIDTH
            done, text = done + text[:space], text[space:].lstrip()
        if not text:
            return done, used
        done, used = done + "\n      ", 6


def describe(name, kind, default, text):
    done, used = _wrap("    -%s (%s)" % (name, text))
    shown = '"%s"' % default if kind == "string" else default
    for part in ("type: " + kind, "default: " + shown):
        if used + 1 + len(part) >= LINE_WIDTH:
            done, used = done + "\n      " + part, 6 + len(part)
        else:
            done, used = done + " " + part, used + 1 + len(part)
    return done + "\n"


def help_text(match=""):
    """Text of `--help`, or of the files whose name contains `match`."""
    parts = [
        "  Flags from %s:\n%s\n" % (module, "".join(describe(*row) for row in rows))
        for module, rows in FLAGS
        if match in module
    ]
    return "load_and_run: %s\n\n%s" % (USAGE, "".join(parts) or "  No modules matched: use -help\n")


def usage_text():
    """What the program prints without arguments."""
    rows = table()
    lines = [
        "  -%-14s type: %-9s default: %-10s %s" % ((name,) + rows[name][:2] + (rows[name][2],))
        for name in (
            "lite",
            "iter",
            "thread",
            "warmup_iter",
            "flagfile",
            "fromenv",
            "help",
            "helpmatch",
            "version",
        )
    ]
    return 'usage: \nload_and_run: %s\n\n%s\n\nMore details using "--help" to get!!\n' % (
        USAGE,
        "\n".join(lines),
    )
