#!/usr/bin/env python3
"""A look-alike of the native load_and_run that replays recorded runs of the real one.

REPLAY names a folder of transcripts (tests/data/transcripts, or some of them): the one with the same model and
options is printed, its streams and its exit code. How often it iterates and what its input was may differ where
nothing closer was recorded; names of files that it writes always do. A run that never ended never ends here.

REPLAY_FILES names a folder of files that the real program wrote (tests/unit/dumps/data); what options name is
made from them. Without it nothing is written, as when an option is silently ignored.
"""

import json
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

DEFAULTS = {"iter": "10", "warmup-iter": "1"}
FOLDERS = {"bin-io-dump": ("000005", "000009"), "get-static-mem-info": ("StaticMemoryInfo.json",)}
FILES = {
    "io-dump": "io.txt",
    "profile": "profile.json",
    "profile-host": "profile.json",
    "fast-run-algo-policy": "fast-run.cache",
}
NAMED = {
    *FILES,
    *FOLDERS,
    "c-opr-lib",
    "bin-out-dump",
    "tensorrt-cache",
    "layout-transform-dump",
    "model-dump",
}


def read(words):
    """The model's name and the options of a command line; None for the model where there is none."""
    words = list(words)
    model, options = None, {}
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            model = model or Path(word).stem
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if not equals and words and not words[0].startswith("-") and model is not None:
            value = words.pop(0)
        options[name.replace("_", "-")] = value
    return model, {name: value for name, value in options.items() if DEFAULTS.get(name) != value}


def distance(mine, other):
    """How well a recorded run stands for this one: 0 is the same run, None another one."""
    (model, options), (its_model, its_options) = mine, other
    loose = {"iter", "warmup-iter", "input"}
    plain = [
        {name: "" if name in NAMED else value for name, value in one.items() if name not in loose}
        for one in (options, its_options)
    ]
    if model != its_model or plain[0] != plain[1]:
        return None
    away = sum(options.get(name) != its_options.get(name) for name in ("iter", "warmup-iter"))
    return away + (("input" in options) != ("input" in its_options))


def recorded(words):
    """The closest transcript to a command line, None where there is none."""
    best = None
    for path in sorted(Path(os.environ["REPLAY"]).glob("*.json")):
        transcript = json.loads(path.read_text("utf-8"))
        command = shlex.split(transcript["command"])
        if command[0] != "load_and_run":
            continue  # recorded with an environment of its own
        away = distance(read(words), read(command[1:]))
        if away is not None and (best is None or away < best[0]):
            best = (away, transcript)
    return best and best[1]


def write(options, samples):
    """What the real program leaves behind."""
    for name, value in options.items():
        target = Path(value)
        if name in FOLDERS:
            target.mkdir(exist_ok=True)
            for sample in FOLDERS[name]:
                shutil.copy(samples / sample, target / sample)
        elif name in FILES and not (name == "profile" and "profile-host" in options):
            shutil.copyfile(samples / FILES[name], target)
        elif name == "bin-out-dump":
            for run in range(int(options.get("iter", 10)) + int(options.get("warmup-iter", 1))):
                shutil.copyfile(samples / "000009", target / f"run{run}-var9")
        elif name == "tensorrt-cache":
            target.write_bytes(b"\0\0\0\0")


def main(words):
    transcript = recorded(words)
    if transcript is None:
        print("replay.py: no recorded run of", *words, file=sys.stderr)
        return 3
    if transcript["exit_code"] == 0 and "REPLAY_FILES" in os.environ:
        write(read(words)[1], Path(os.environ["REPLAY_FILES"]))
    sys.stdout.write(transcript["stdout"] or "")
    sys.stderr.write(transcript["stderr"] or "")
    sys.stdout.flush()
    sys.stderr.flush()
    if isinstance(transcript["exit_code"], str):  # "timeout killed after 4s"
        time.sleep(3600)
    return transcript["exit_code"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
