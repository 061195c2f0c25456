"""Shows of `benchmarks.fleet` in which something dies, freezes, is away or is cancelled."""

from __future__ import annotations

import signal
import time
from collections import Counter
from typing import Any

from benchmarks.fleet_lab import LANES, ROUNDS, VARIANTS, Lab, boards, in_thread, is_free, overlaps, until
from farm.sim.fleet import Fleet

RUN = "one"
WHOLE = ROUNDS * VARIANTS
SHORT_TTL_S, TTL_S = 6.0, 30.0
AWAY_S = 10.0
ROUND_S = 1.0


async def take_over(lab: Lab, is_quick: bool) -> dict[str, Any]:
    return await _taken_over(lab, 1 if is_quick else 4, SHORT_TTL_S)


async def take_over_30(lab: Lab, is_quick: bool) -> dict[str, Any]:
    return await _taken_over(lab, 1 if is_quick else 4, TTL_S)


async def _taken_over(lab: Lab, devices: int, ttl_s: float) -> dict[str, Any]:
    """Kill -9 of the worker that has all lanes; another one is there."""
    async with boards(lab.folder / "devices", devices, ROUND_S) as running:
        return await in_thread(_kill_one, lab, running, ttl_s)  # type: ignore[no-any-return]


def _kill_one(lab: Lab, running: Fleet, ttl_s: float) -> dict[str, Any]:
    lab.submit(running.inventory, RUN)
    first = lab.worker(running.inventory, "--ttl", str(ttl_s))
    _until_in_rounds(lab, running)
    second = lab.worker(running.inventory, "--ttl", str(ttl_s))
    recorded = _recorded(lab)
    killed_s = time.monotonic()
    first.send(signal.SIGKILL)
    first.process.wait()
    finished = _ended_rounds(running)
    taken_s = until(lambda: _owners(lab) <= {second.id, None}, "the other one has all lanes") - killed_s
    began = lab.steps(f"{RUN}/%")
    moved_s = until(lambda: lab.steps(f"{RUN}/%") > began, "it goes on") - killed_s
    found = _ended(lab, running)
    second.end()
    started = sum(len(device.runs()) for device in running.devices.values())
    return {
        "devices": len(running.devices), "ttl_s": ttl_s, "recorded": recorded, "finished": finished,
        "take_over_s": round(taken_s, 2), "moved_s": round(moved_s, 2),
        "rounds_again": started - WHOLE * len(running.devices), **found,
    }  # fmt: skip


async def outage(lab: Lab, is_quick: bool) -> dict[str, Any]:
    """The database's server is away for ten seconds, and its connections are cut."""
    async with boards(lab.folder / "devices", 2 if is_quick else 8, ROUND_S) as running:
        return await in_thread(_store_away, lab, running)  # type: ignore[no-any-return]


def _store_away(lab: Lab, running: Fleet) -> dict[str, Any]:
    lab.submit(running.inventory, RUN)
    worker = lab.worker(running.inventory, "--parallel", str(len(running.devices)))
    _until_in_rounds(lab, running)
    lab.postgres.stop()
    time.sleep(AWAY_S)
    lab.postgres.start()
    back_s = time.monotonic()
    before = {name: lab.steps(f"{RUN}/{name}") for name in running.devices}
    moved: dict[str, float] = {}
    while len(moved) < len(before):
        for name, steps in before.items():
            if name not in moved and (lab.steps(f"{RUN}/{name}") > steps or _is_over(lab, name)):
                moved[name] = time.monotonic() - back_s
        time.sleep(0.05)
        if time.monotonic() - back_s > 120:
            raise SystemExit(f"lanes do not move: {worker.log.read_text()}")
    found = _ended(lab, running)
    worker.end()
    return {
        "devices": len(before), "away_s": AWAY_S, "moving_s": round(max(moved.values()), 2),
        "first_moving_s": round(min(moved.values()), 2), **found,
    }  # fmt: skip


async def frozen(lab: Lab, is_quick: bool) -> dict[str, Any]:
    """A worker is stopped for longer than its time to live, and then goes on beside its successor."""
    async with boards(lab.folder / "devices", 1 if is_quick else 4, ROUND_S) as running:
        return await in_thread(_freeze, lab, running)  # type: ignore[no-any-return]


def _freeze(lab: Lab, running: Fleet) -> dict[str, Any]:
    lab.submit(running.inventory, RUN)
    first = lab.worker(running.inventory, "--ttl", str(SHORT_TTL_S))
    _until_in_rounds(lab, running)
    second = lab.worker(running.inventory, "--ttl", str(SHORT_TTL_S))
    began_s = time.monotonic()
    first.send(signal.SIGSTOP)
    taken_s = until(lambda: _owners(lab) <= {second.id, None}, "the other one has all lanes") - began_s
    time.sleep(2.0)
    first.send(signal.SIGCONT)
    found = _ended(lab, running)
    for worker in (first, second):
        worker.end()
    return {
        "devices": len(running.devices), "ttl_s": SHORT_TTL_S, "take_over_s": round(taken_s, 2),
        "superseded": first.log.read_text(errors="replace").count("another worker has it now"), **found,
    }  # fmt: skip


async def cancel(lab: Lab, is_quick: bool) -> dict[str, Any]:
    """From `farm runs cancel` until the devices are free."""
    async with boards(lab.folder / "devices", 1 if is_quick else 8, 5 * ROUND_S) as running:
        return await in_thread(_cancel, lab, running)  # type: ignore[no-any-return]


def _cancel(lab: Lab, running: Fleet) -> dict[str, Any]:
    lab.submit(running.inventory, RUN)
    worker = lab.worker(running.inventory, "--parallel", str(len(running.devices)))
    until(lambda: all(len(device.runs()) >= 1 for device in running.devices.values()), "rounds run")
    time.sleep(1.0)
    began_s = time.monotonic()
    ended = lab.farm("runs", "cancel", RUN)
    if ended.code:
        raise SystemExit(ended.stderr)
    free: dict[str, float] = {}
    while len(free) < len(running.devices):
        for name, device in running.devices.items():
            if name not in free and is_free(device) and not device.running():
                free[name] = time.monotonic() - began_s
        time.sleep(0.02)
        if time.monotonic() - began_s > 60:
            raise SystemExit(f"devices are not free: {worker.log.read_text()}")
    worker.end()
    return {
        "devices": len(free), "command_s": round(ended.wall_s, 2),
        "free_s": round(max(free.values()), 2), "first_free_s": round(min(free.values()), 2),
    }  # fmt: skip


async def nightly(lab: Lab, is_quick: bool) -> dict[str, Any]:
    """Two workers and a schedule for every minute, by the clock."""
    async with boards(lab.folder / "devices", 1, 0.2) as running:
        return await in_thread(_nightly, lab, running, 1 if is_quick else 4)  # type: ignore[no-any-return]


def _nightly(lab: Lab, running: Fleet, times: int) -> dict[str, Any]:
    ended = lab.farm(
        "schedule", "add", "night", "--cron", "* * * * *", "--inventory", str(running.inventory),
        "--model", "bundled:tiny", "--rounds", "2", "--iter", "5", "--check", "off",
        "--artifacts", (lab.folder / "shared").as_uri(),
    )  # fmt: skip
    if ended.code:
        raise SystemExit(ended.stderr)
    workers = [lab.worker(running.inventory, "--ttl", str(SHORT_TTL_S)) for _ in range(2)]
    first_s = int(lab.rows("SELECT next_s FROM farm_schedules")[0][0])
    until(
        lambda: lab.rows("SELECT next_s FROM farm_schedules")[0][0] >= first_s + 60 * times, "they come", 0.5
    )
    until(lambda: all(status == "SUCCESS" for _, status, _ in lab.rows(LANES)), "they are over", 0.5)
    audit = lab.rows("SELECT run FROM farm_audit WHERE did = 'fire' AND run IS NOT NULL")
    lanes = [lane for lane, _, _ in lab.rows(LANES)]
    late_s = lab.rows(
        "SELECT max(w.created_at / 1000.0 - extract(epoch FROM to_timestamp(substr(w.workflow_uuid, 7, 15), "
        "'YYYYMMDD-HH24MISS') AT TIME ZONE 'UTC')) FROM dbos.workflow_status w WHERE name = 'farm.lane'"
    )[0][0]
    for worker in workers:
        worker.end()
    runs = len({lane.partition("/")[0] for lane in lanes})
    return {
        "times": times, "missing": times - runs, "doubled": len(lanes) - runs + len(audit) - runs,
        "late_s": round(float(late_s), 1),
    }  # fmt: skip


def _until_in_rounds(lab: Lab, running: Fleet) -> None:
    """Each device has a finished round that is recorded, and another one that runs."""
    until(
        lambda: all(
            len(device.runs()) >= 2 and lab.steps(f"{RUN}/{name}") >= 2
            for name, device in running.devices.items()
        ),
        "rounds run",
    )


def _recorded(lab: Lab) -> int:
    return lab.steps(f"{RUN}/%")


def _ended_rounds(running: Fleet) -> int:
    return sum(span.ended_s is not None for device in running.devices.values() for span in device.spans())


def _owners(lab: Lab) -> set[str | None]:
    return {
        owner if status == "PENDING" else (None if status == "SUCCESS" else status)
        for _, status, owner in lab.rows(LANES)
    }


def _is_over(lab: Lab, device: str) -> bool:
    return any(lane == f"{RUN}/{device}" and status == "SUCCESS" for lane, status, _ in lab.rows(LANES))


def _ended(lab: Lab, running: Fleet) -> dict[str, Any]:
    """What became of the run, by its results and by the devices' own records."""
    return counted(lab.fetched(RUN), running)


def counted(found: dict[str, list[str]], running: Fleet) -> dict[str, Any]:
    """Rounds that are missing and that are there twice, and overlaps."""
    lost = sum(max(0, WHOLE - len(set(found.get(name, ())))) for name in running.devices)
    doubled = sum(count - 1 for rounds in found.values() for count in Counter(rounds).values())
    return {
        "rounds_lost": lost,
        "rounds_doubled": doubled,
        "overlaps": sum(map(overlaps, running.devices.values())),
    }
