"""Terminal escapes, markup and bytes that are no text, in every text that reaches a terminal or a report."""

from __future__ import annotations

from dataclasses import replace

from farm.device.wire import encode
from tests.hostile.attack import Answer, Attack, Job, fields, log, says
from tests.hostile.attacks.payloads import BOTH, ESCAPES, HTML, NOT_UTF8, ONE_WORD

NOISE = BOTH.encode("utf-8", "surrogateescape") + NOT_UTF8
WORD = encode(BOTH)
FACTS = "\n".join(
    (
        f"== uname\nLinux {ONE_WORD} {ONE_WORD} {ONE_WORD}",
        f'== files\n/etc/os-release:PRETTY_NAME="{HTML}"',
        f"/proc/cpuinfo:model name\t: {HTML}",
        f"/proc/cpuinfo:flags\t\t: {ONE_WORD} {ESCAPES}",
        f"/proc/device-tree/model:{HTML}",
        f"/sys/devices/virtual/dmi/id/product_name:{HTML}",
        f"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor:{HTML}",
        f"/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver:{HTML}",
        f"/sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors:{ONE_WORD} {ONE_WORD}",
        f"== getprop\n[ro.build.version.release]: [{HTML}]\n[ro.soc.model]: [{HTML}]",
        f"== nvidia\n0, {HTML}, {HTML}, 8.0, 1000, 500, P0\n{HTML}",
        f"== libc\n{HTML}\n== loaders\n{HTML}\n== shell\n{HTML}\n== tools\n{HTML}\n== pythons\n/{HTML} cpython 3.9.1 numpy",
        f"== boot\n{HTML}\n== {HTML}\n{HTML}\n",
    )
)
TELEMETRY = encode(f"temp:{HTML}_mc") + b" " + encode(f"throttle:{ESCAPES}")


def stdout(text: bytes):
    def change(job: Job) -> Job:
        return replace(job, streams={**job.streams, "stdout": text})

    return change


def ended(why: str, code: str = "0"):
    return lambda _, honest: replace(honest, fields=("exited", code, why, *honest.fields[3:]))


ATTACKS = (
    Attack("text-log-escapes", "terminal escapes in the log", job=log(ESCAPES.encode() + b"\n"), fails=None),
    Attack("text-log-html", "markup in the log", job=log(HTML.encode() + b"\n" + b"terminate called after throwing an instance of '" + HTML.encode() + b"'\n  what():  " + HTML.encode() + b"\n"), fails=None),
    Attack("text-log-bytes", "a log that is no text", job=log(bytes(range(256)) * 40 + NOT_UTF8), fails=None),
    Attack("text-crash", "a failure that is told with all of it", job=lambda job: Job(134, {"stderr": NOISE + b"\nwhat(): " + NOISE, "stdout": NOISE}, {})),
    Attack("text-numbers", "times that are no numbers", job=lambda job: replace(job, streams={**job.streams, "stderr": job.streams["stderr"].replace(b"e2e=", b"e2e=-nan ms e2e=1e999")})),
    Attack("text-negative", "times below 0", job=lambda job: replace(job, streams={**job.streams, "stderr": job.streams["stderr"].replace(b"e2e=", b"e2e=-")})),
    Attack("text-digits", "times of 5000 digits", job=lambda job: replace(job, streams={**job.streams, "stderr": job.streams["stderr"].replace(b"e2e=", b"e2e=" + b"9" * 5000)})),
    Attack("text-million-times", "100,000 lines of times", job=lambda job: replace(job, streams={**job.streams, "stdout": b"[23 11:22:33 x] iter 1/10: e2e=1.0 ms (host=1.0 ms)\n" * 100_000}), fails=None),
    Attack("text-facts", "markup and escapes in all facts", probe=lambda _: FACTS.encode("utf-8", "surrogateescape"), fails=None),
    Attack("text-facts-bytes", "facts that are no text", probe=lambda honest: honest.replace(b"hostile", NOT_UTF8) + bytes(range(256)), fails=None),
    Attack("text-facts-huge", "facts with numbers of 400 digits", probe=lambda honest: honest.replace(b"8000000", b"9" * 400).replace(b"100000000", b"9" * 400).replace(b"0-3", b"0-99999999"), fails=None),
    Attack("text-facts-zero", "facts with zeros everywhere", probe=lambda honest: honest.replace(b"8000000", b"0").replace(b"100000000 1000 90000000", b"0 0 0").replace(b"0-3", b"-"), fails=None),
    Attack("text-facts-none", "no facts", probe=lambda _: b"", fails=None),
    Attack("text-telemetry", "markup in the names of sensors", job=lambda job: replace(job, streams={**job.streams, "telemetry": b"uptime_s " + TELEMETRY + b"\n1.0 50000 1\n2.0 51000 2\n"}), fails=None),
    Attack("text-why", "markup in how a round ended", {"wait": ended(BOTH), "poll": ended(BOTH)}),
    Attack("text-refused", "markup in a refusal", {"tree": says(b"%d err missing " + WORD + b" " + WORD + b"\n")}),
    Attack("text-refused-word", "an unknown refusal with braces", {"tree": says(b"%d err surprise {0.__class__} {} %s " + WORD + b"\n")}),
    Attack("text-refused-start", "markup in why it has no folder", greeting=b"farm-agent 1 err unwritable " + WORD + b"\n"),
    Attack("text-login", "a login that prints all of it, and no agent", greeting=NOISE + b"\n", ends=True),
    Attack("text-workdir", "a working directory of markup", greeting=b"\nfarm-agent 1 42 /" + WORD + b"\n", fails=None),
    Attack("text-tree", "a folder of markup for the program", {"tree": fields("/" + BOTH)}, fails=None),
    Attack("text-held", "held by markup", {"lease": says(b"%d err held " + WORD + b" 1 2 3 4\n")}),
    Attack("text-boot", "a boot id of markup", {"lease": fields("1", BOTH)}, fails=None),
    Attack("text-stock", "markup in what its store has", {"stock": lambda *_: Answer(data=f"== df\n{HTML}\n== files\n{HTML}\n== sizes\n9 cas/{HTML}\n== trees\n{HTML}\n== links\ntrees/{HTML}:\n{HTML} -> {HTML}\n".encode())}, fails=None),
    Attack("text-sense", "markup in its sensors", {"sense": lambda *_: Answer(data=b"uptime_s " + TELEMETRY + b"\n1.0 99999999999999999999 " + WORD + b"\n")}, fails=None),
)  # fmt: skip
