"""Every command of `farm`: one row each. To add one, write its module and a row here.

A module has a function `command` and may have `SETTINGS` for typer (epilog with examples, context settings).
It is imported when its command is called, not before: see farm.cli.lazy.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """`words` are what the user types after `farm`; `help` is the first line of the command's docstring."""

    words: str
    module: str
    help: str

    @property
    def group(self) -> str:
        return self.words.rpartition(" ")[0]

    @property
    def name(self) -> str:
        return self.words.rpartition(" ")[2]


GROUPS = {
    "devices": "Find devices, bring them up, check, trust and switch them, free disks and leases.",
    "runs": "List, show, resume, fetch and tag runs, remove old ones, and bring their database up to date.",
    "profiles": "Show the operators of profiles, and compare them.",
    "dumps": "Compare dumped tensors, and show the planned memory.",
    "runtime": "Install and list the wheel runtime.",
    "plugins": "List plugins: formats, sections of reports and notifications of other packages.",
    "schedule": "Have the fleet begin runs at set times: add, list, remove, run now.",
    "sim": "Start labs of simulated devices, to try an inventory, a suite and a CI without hardware.",
    "options": "Search and explain load_and_run's options.",
}
"""Commands that have commands below them, and what they are for."""

COMMANDS = (
    Command("bench", "farm.cli.bench.bench", "Run models on devices and write a report."),
    Command(
        "tune",
        "farm.cli.tune.tune",
        "Find the fastest valid options of a model on a device, and confirm them against the default.",
    ),
    Command(
        "nightly",
        "farm.cli.nightly.nightly",
        "Measure a suite, compare it with the last good night, and tell people what is new.",
    ),
    Command(
        "bisect",
        "farm.cli.bisect.bisect",
        "Find the first slower one of an ordered list of builds.",
    ),
    Command(
        "submit",
        "farm.cli.fleet.submit",
        "Give a run to the fleet: its lanes wait in the store, and workers at their sites run them.",
    ),
    Command(
        "worker",
        "farm.cli.fleet.worker",
        "Run what was submitted for the devices of a site, until Ctrl-C or SIGTERM.",
    ),
    Command(
        "queue",
        "farm.cli.fleet.queue",
        "Show who waits for what in the fleet, and why, and which workers there are.",
    ),
    Command(
        "schedule add",
        "farm.cli.fleet.schedule.add",
        "Have the fleet begin a run at set times: what is planned now, with the files as they are now.",
    ),
    Command(
        "schedule list",
        "farm.cli.fleet.schedule.list",
        "Show what the fleet begins by itself, when next, and what became of the last time.",
    ),
    Command(
        "schedule remove",
        "farm.cli.fleet.schedule.remove",
        "The fleet does not begin it any more; a run of it that waits or runs goes on.",
    ),
    Command(
        "schedule run",
        "farm.cli.fleet.schedule.run",
        "Begin a schedule once now: some worker does within seconds. Its times stay as they are.",
    ),
    Command(
        "plan",
        "farm.cli.bench.plan",
        "Show what a bench would run, compare and push, and how long it takes. Touches no device.",
    ),
    Command("devices list", "farm.cli.devices.list", "List the devices of the inventory. Touches no device."),
    Command(
        "devices check",
        "farm.cli.devices.check",
        "Connect, start the agent, probe, show who holds the lease, what is wrong and what to do about it.",
    ),
    Command(
        "devices trust",
        "farm.cli.devices.trust",
        "Show the host key of a device and pin it in the inventory's known_hosts.",
    ),
    Command(
        "devices discover",
        "farm.cli.devices.discover",
        "Find devices in a network or in an SSH configuration, and write inventory entries of them.",
    ),
    Command(
        "devices provision",
        "farm.cli.devices.provision",
        "Bring devices up: packages, user and key, working folder, rights to set the governor.",
    ),
    Command(
        "devices clean",
        "farm.cli.devices.clean",
        "Show what farm keeps on devices and would remove; with --yes, remove it.",
    ),
    Command(
        "devices release",
        "farm.cli.devices.release",
        "Show whose lease each device has; with --yes, break it.",
    ),
    Command(
        "devices power",
        "farm.cli.devices.power",
        "Switch devices by the commands of the inventory, which run on this machine.",
    ),
    Command(
        "devices quarantine",
        "farm.cli.devices.quarantine",
        "Leave devices out of plans for some time, with a reason; without devices, list those that are.",
    ),
    Command(
        "devices restore",
        "farm.cli.devices.restore",
        "End the quarantine of devices: plans have them again.",
    ),
    Command(
        "devices stability",
        "farm.cli.devices.stability",
        "Show what each device can resolve, and which devices are fit to gate a release.",
    ),
    Command("runs list", "farm.cli.runs.list", "List runs, oldest first."),
    Command(
        "runs kept",
        "farm.cli.runs.kept",
        "Show what is kept of runs to measure them again, and which run refers to how much.",
    ),
    Command("runs show", "farm.cli.runs.show", "Show one run's matrix, failures and files."),
    Command(
        "runs resume",
        "farm.cli.runs.resume",
        "Go on with a run that was interrupted: by Ctrl-C, a kill, a power cut.",
    ),
    Command(
        "runs fetch",
        "farm.cli.fleet.fetch",
        "Make a run directory of a run of the fleet, and its report.",
    ),
    Command(
        "runs cancel",
        "farm.cli.fleet.cancel",
        "Cancel what is left of a run of the fleet, also what runs now.",
    ),
    Command(
        "runs index",
        "farm.cli.history.index",
        "Bring the database of all runs up to date with their folders.",
    ),
    Command(
        "runs tag",
        "farm.cli.history.tag",
        "Give a run a name that stays, take it away, or list all tags.",
    ),
    Command(
        "runs gc",
        "farm.cli.history.gc",
        "Show what of old runs would go; with --yes, remove it.",
    ),
    Command(
        "runs export",
        "farm.cli.history.export_run",
        "Write a run as one archive, with the digest of every file; `farm runs import` reads it elsewhere.",
    ),
    Command(
        "runs import",
        "farm.cli.history.import_run",
        "Make a run of an archive, once the digest of every file is right: the whole run, or nothing of it.",
    ),
    Command(
        "history",
        "farm.cli.history.history",
        "Show a model's times over all runs, and where they changed.",
    ),
    Command(
        "report",
        "farm.cli.runs.report",
        "Render a run's report from its results.json, and print its path.",
    ),
    Command(
        "release",
        "farm.cli.release.release",
        "Write the report of a release: versions side by side on all devices and models.",
    ),
    Command("compare", "farm.cli.runs.compare", "Compare a run with a baseline, cell by cell."),
    Command(
        "profiles show",
        "farm.cli.profiles.show",
        "Show the operators of a profile: times, shares, rates, and what limits them.",
    ),
    Command(
        "profiles compare",
        "farm.cli.profiles.compare",
        "Compare operators of two or more profiles: ratios, and where a difference comes from.",
    ),
    Command(
        "export",
        "farm.cli.runs.export",
        "Write a run for other tools: CI systems, dashboards, trace viewers, spreadsheets.",
    ),
    Command(
        "site",
        "farm.cli.runs.site",
        "Write a folder of static pages about all runs: index, trends, reports, digests.",
    ),
    Command(
        "serve",
        "farm.cli.runs.serve",
        "Serve live pages: runs as they grow, devices now, finished reports.",
    ),
    Command(
        "dumps compare",
        "farm.cli.dumps.compare",
        "Compare dumped tensors with a reference, and name the first operator that diverges.",
    ),
    Command(
        "dumps memory",
        "farm.cli.dumps.memory",
        "Show the planned memory of a model: its peak, who holds it, and each step.",
    ),
    Command(
        "runtime install",
        "farm.cli.runtime.install",
        "Download MegEngine's wheel from your package index and keep the libraries that farm needs.",
    ),
    Command("runtime list", "farm.cli.runtime.list", "List the installed wheel runtimes."),
    Command(
        "plugins list",
        "farm.cli.plugins.list",
        "List the plugins that are installed, and whether each can be used. Loads each of them.",
    ),
    Command(
        "sim up",
        "farm.cli.sim.up",
        "Start the devices of a lab file, write their inventory, and run until Ctrl-C.",
    ),
    Command(
        "sim run",
        "farm.cli.sim.run",
        "Start the devices of a lab file, run a command on them, and end with its exit code.",
    ),
    Command(
        "sim list",
        "farm.cli.sim.list",
        "List what a lab file can name: kinds of devices, faults and oddities.",
    ),
    Command("options list", "farm.cli.catalogue.list", "List the options, all or those that match."),
    Command(
        "options show",
        "farm.cli.catalogue.show",
        "Show everything about one option: flag, type, what it reads and writes, limits, traps.",
    ),
    Command(
        "schema",
        "farm.cli.catalogue.schema",
        "Print the JSON Schema of an inventory, a suite, a builds file, acknowledgements, a lab or results.",
    ),
)
