"""The lease: one holder at a time, rising epochs, and a device that frees itself."""

from __future__ import annotations

import os
import signal
import threading

from farm.device import wire
from tests.agent.shells import Phone, Talk, refused, until


def beats_stop(phone: Phone, epoch: int, seconds: int = 1000) -> None:
    """The last beat was so long ago."""
    beat = phone.workdir / "lease" / f"beat.{epoch}"
    beat.write_text(f"{int(beat.read_text()) - seconds}\n")


def test_a_device_has_one_holder_who_is_named_to_the_others(phone: Phone, agent: Talk):
    assert agent("holder") == ()
    agent("lease", "nightly run of ann@host: é", 60)
    other = phone.talk()
    refusal = refused(other, "lease", "bob", 60)
    assert refusal.code == "held"
    assert refusal.fields[0] == "nightly run of ann@host: é"
    assert refusal.fields[2] == "60"
    assert refusal.fields[3] == (phone.workdir / "lease").glob("1*").__next__().name
    assert int(refusal.fields[4]) < 60
    assert other("holder")[0] == "nightly run of ann@host: é"


def test_of_many_who_want_a_device_at_once_one_gets_it(phone: Phone):
    talks = [phone.talk() for _ in range(6)]
    for _ in range(5):
        got: list[wire.Reply] = []
        barrier = threading.Barrier(len(talks))

        def want(talk: Talk, got: list[wire.Reply] = got, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            got.append(talk.send(b"7 lease me 60\n")[0])

        threads = [threading.Thread(target=want, args=(talk,)) for talk in talks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [reply for reply in got if reply.status is wire.Status.OK]
        assert len(winners) == 1
        assert {reply.code for reply in got} == {"", "held"}
        talks[0]("release", winners[0].fields[0])


def test_a_lease_whose_first_beat_is_not_yet_written_is_held(phone: Phone, agent: Talk, epoch: int):
    (phone.workdir / "lease" / f"beat.{epoch}").write_text("")
    other = phone.talk()
    assert other("holder") != ()
    assert refused(other, "lease", "bob", 60).code == "held"
    agent("beat", epoch)


def test_epochs_rise_from_lease_to_lease(agent: Talk):
    epochs = []
    for _ in range(12):
        epochs.append(int(agent("lease", "me", 60)[0]))
        agent("release", epochs[-1])
    assert epochs == sorted(set(epochs))


def test_old_epochs_do_not_pile_up(phone: Phone, agent: Talk):
    for _ in range(30):
        agent("release", agent("lease", "me", 60)[0])
    assert len(list((phone.workdir / "lease").iterdir())) < 20


def test_a_release_whose_reply_was_lost_may_be_repeated(agent: Talk, epoch: int):
    agent("release", epoch)
    agent("release", epoch)


def test_a_lease_is_resumed_in_another_session(phone: Phone, agent: Talk, epoch: int):
    agent.leave()
    again = phone.talk()
    again("resume", epoch)
    again("beat", epoch)
    again("release", epoch)


def test_a_lease_that_ended_is_taken_over_with_a_higher_epoch_and_the_old_holder_is_refused(
    phone: Phone, agent: Talk, epoch: int
):
    agent.start(epoch, "old", "sleep", "300")
    beats_stop(phone, epoch)
    other = phone.talk()
    taken = int(other("lease", "bob", 600)[0])
    assert taken > epoch
    assert other("poll", "old")[:3] == ("exited", "143", "lease-lost")
    until(lambda: not phone.processes())
    for request in (("beat", epoch), ("resume", epoch), ("start", epoch, "new", 1, 1, 0, 0, 0, "true")):
        assert refused(agent, *request).code == "stale"
    assert refused(agent, "release", epoch).code == "stale"
    assert other("holder")[0] == "bob"
    other("release", taken)


def test_a_lost_lease_that_is_given_back_at_that_moment_does_not_keep_a_claimer_out(phone: Phone):
    """By the end of a job whose lease was lost: between the claimer's look and its claim."""
    freed = '[ -f freed ] || { : >freed && ln -s free "lease/$((epoch + 1))"; }'
    phone.change_script('  until claim "held:$now', f'  {freed}\n  until claim "held:$now')
    agent = phone.talk()
    epoch = agent("lease", "me", 600)[0]
    assert agent("holder")[0] == "me"
    agent("release", epoch)


def test_a_lease_that_ended_is_stale_even_if_nobody_took_it(phone: Phone, agent: Talk, epoch: int):
    beats_stop(phone, epoch)
    assert agent("holder") == ()
    assert refused(agent, "beat", epoch).code == "stale"


def is_of_another_boot(phone: Phone, epoch: int) -> None:
    """The lease was taken before the device was restarted."""
    link = phone.workdir / "lease" / str(epoch)
    since, ttl, _, holder = str(link.readlink()).removeprefix("held:").split(":")
    link.unlink()
    link.symlink_to(f"held:{since}:{ttl}:another-boot:{holder}")


def test_a_device_that_was_restarted_is_free(phone: Phone, agent: Talk):
    epoch = int(agent("lease", "me", 600)[0])
    is_of_another_boot(phone, epoch)
    other = phone.talk()
    assert other("holder") == ()
    assert int(other("lease", "bob", 60)[0]) > epoch


def test_who_had_the_device_before_it_was_restarted_is_told_so(phone: Phone, agent: Talk):
    epoch, boot = agent("lease", "me", 600)
    assert agent("resume", epoch, boot) == (boot,)
    is_of_another_boot(phone, int(epoch))
    other = phone.talk()
    for words in (
        ("resume", epoch),
        ("resume", epoch, boot),
        ("resume", epoch, "another-boot"),
        ("beat", epoch),
    ):
        assert refused(other, *words).code == "device-restarted"
    taken, now, told = other("lease", "me", 600)
    assert (now, told) == (boot, "restarted")
    assert refused(other, "beat", epoch).code == "stale"
    other("release", taken)
    assert len(other("lease", "me", 600)) == 2  # this one ended as it should
    other("release", int(taken) + 2)


def test_a_lease_that_is_broken_ends_at_once_and_its_holder_hears_by_whom(
    phone: Phone, agent: Talk, epoch: int
):
    agent("start", epoch, "j", 600, 600, 0, 0, 0, "sleep", "300")
    other = phone.talk()
    assert refused(other, "break", epoch + 1, "bob").code == "stale"
    assert other("poll", "j")[0] == "running"
    assert other("break", epoch, "bob, by hand: é") == ()
    until(lambda: not phone.processes())
    assert other("holder") == ()
    assert other("poll", "j")[2] == "lease-lost"
    for request in (("beat", epoch), ("resume", epoch), ("start", epoch, "new", 1, 1, 0, 0, 0, "true")):
        refusal = refused(agent, *request)
        assert (refusal.code, refusal.fields) == ("broken", ("bob, by hand: é",))
    assert refused(other, "break", epoch, "bob").code == "stale"
    (taken, *_) = other("lease", "bob", 60)
    assert int(taken) == epoch + 2
    assert refused(agent, "beat", epoch).code == "stale"
    other("release", taken)


def test_a_lease_that_was_lost_with_the_power_is_not_another_ones_of_the_same_number(agent: Talk, epoch: int):
    assert refused(agent, "resume", epoch, "another-boot").code == "device-restarted"
    agent("beat", epoch)


def test_a_beat_from_the_future_is_of_another_boot(phone: Phone, agent: Talk, epoch: int):
    beats_stop(phone, epoch, -1000)
    other = phone.talk()
    assert other("holder") == ()
    assert refused(other, "resume", epoch).code == "device-restarted"


def test_when_the_beats_stop_the_device_ends_the_round_and_is_free(phone: Phone, agent: Talk):
    epoch = int(agent("lease", "me", 2)[0])
    agent.start(epoch, "j", "sh", "-c", "trap '' TERM; sleep 300 & sleep 300; sleep 300")
    agent.process.kill()
    agent.process.wait()
    agent.leave()
    until(lambda: not phone.processes())
    again = phone.talk()
    assert again("poll", "j")[2] == "lease-lost"
    state = phone.workdir / "lease" / str(epoch + 1)
    assert str(state.readlink()) == "free"
    assert refused(again, "resume", epoch).code == "stale"


def test_beats_keep_a_round_alive(phone: Phone, agent: Talk):
    epoch = int(agent("lease", "me", 2)[0])
    agent.start(epoch, "j", "sleep", "300")

    def beat() -> bool:
        agent("beat", epoch)
        return agent.output("j", "telemetry").count(b"\n") > 4

    until(beat)
    assert agent("poll", "j")[0] == "running"
    agent("release", epoch)


def test_a_beat_is_written_in_place(phone: Phone, agent: Talk, epoch: int):
    """So that there is no moment at which a reader finds it empty."""
    beat = phone.workdir / "lease" / f"beat.{epoch}"
    before = beat.stat()
    agent("beat", epoch)
    after = beat.stat()
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size) == (before.st_ino, 11)


def test_a_lease_is_taken_over_by_its_number_and_the_former_self_is_refused(
    phone: Phone, agent: Talk, epoch: int
):
    agent.start(epoch, "old", "sleep", "300")
    other = phone.talk()
    taken = int(other("lease", "me again", 600, epoch)[0])
    assert taken == epoch + 1
    assert other("poll", "old")[2] == "lease-lost"
    for request in (("beat", epoch), ("resume", epoch), ("start", epoch, "new", 1, 1, 0, 0, 0, "true")):
        assert refused(agent, *request).code == "stale"
    other("release", taken)


def test_a_lease_that_another_got_meanwhile_is_not_taken_over(phone: Phone, agent: Talk, epoch: int):
    other = phone.talk()
    assert refused(other, "lease", "me again", 60, epoch - 1).code == "held"
    beats_stop(phone, epoch)
    taken = other("lease", "bob", 60)[0]
    assert refused(agent, "lease", "me again", 60, epoch).fields[0] == "bob"
    other("release", taken)


def test_of_two_who_take_over_one_lease_one_gets_it(phone: Phone, agent: Talk, epoch: int):
    talks = [phone.talk() for _ in range(4)]
    got: list[wire.Reply] = []
    barrier = threading.Barrier(len(talks))

    def want(talk: Talk) -> None:
        barrier.wait()
        got.append(talk.send(b"7 lease me 60 %d\n" % epoch)[0])

    threads = [threading.Thread(target=want, args=(talk,)) for talk in talks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reply.status for reply in got) == ["err"] * 3 + ["ok"]
    talks[0]("release", next(reply.fields[0] for reply in got if reply.status is wire.Status.OK))


def test_a_start_that_slept_while_the_device_was_taken_runs_nothing(phone: Phone):
    """Between its look at the lease and the start of the program."""
    gate = phone.folder / "gate"
    phone.change_script("\nlaunch() {\n", f"\nlaunch() {{\n  until [ -e '{gate}' ]; do sleep 0.1; done\n")
    sleeper = phone.talk()
    epoch = int(sleeper("lease", "me", 600)[0])
    ran = phone.folder / "ran"
    sleeper.process.stdin.write(
        wire.request(9, "start", str(epoch), *["j", "60", "60", "0", "0", "0", "touch"], str(ran))
    )
    sleeper.process.stdin.flush()
    until((phone.workdir / "spool/j/command").exists)
    other = phone.talk()
    taken = other("lease", "me again", 600, epoch)[0]
    gate.touch()
    reply = wire.parse_reply(sleeper.process.stdout.readline())
    assert reply.status is wire.Status.ERR
    assert not ran.exists()
    other("release", taken)


def test_a_job_that_another_session_forgets_meanwhile_does_not_keep_the_device(phone: Phone):
    phone.change_script("  stream_sizes\n  set", '  rm -rf "spool/$job"\n  stream_sizes\n  set')
    agent = phone.talk()
    epoch = int(agent("lease", "me", 60)[0])
    agent.start(epoch, "j", "sleep", "300")
    supervisor = int((phone.workdir / "spool/j/pid").read_text().split()[0])
    os.kill(supervisor, signal.SIGKILL)
    agent("release", epoch)
    assert not (phone.workdir / "spool/j").exists()


def test_a_job_that_another_session_is_about_to_start_is_waited_for(phone: Phone):
    """Its connection may be gone: the start goes on all the same."""
    gate = phone.folder / "gate"
    phone.change_script("\nlaunch() {\n", f"\nlaunch() {{\n  until [ -e '{gate}' ]; do sleep 0.1; done\n")
    first = phone.talk()
    epoch = int(first("lease", "me", 600)[0])
    first.process.stdin.write(wire.request(9, "start", str(epoch), *["j", "60", "60", "0", "0", "0", "true"]))
    first.process.stdin.flush()
    until((phone.workdir / "spool/j/command").exists)
    second = phone.talk()
    assert refused(second, "start", epoch, "j", 60, 60, 0, 0, 0, "true").code == "exists"
    assert second("poll", "j")[0] == second("wait", "j")[0] == "running"
    assert refused(second, "gather", "j", 100).code == "running"
    gate.touch()
    assert second.ended("j") == (0, "-")
    second("release", epoch)


def test_a_job_whose_starter_died_was_never_started(phone: Phone):
    phone.change_script("\nlaunch() {\n", "\nlaunch() {\n  kill -KILL $$\n")
    first = phone.talk()
    epoch = int(first("lease", "me", 600)[0])
    first.process.stdin.write(wire.request(9, "start", str(epoch), *["j", "60", "60", "0", "0", "0", "true"]))
    first.process.stdin.flush()
    first.process.wait()
    second = phone.talk()
    assert second("poll", "j")[:3] == ("exited", "137", "unstarted")
    second("release", epoch)


def test_names_of_jobs_are_free_again_under_the_next_lease(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "true")
    agent.ended("j")
    agent("drop", "j")
    assert refused(agent, "start", epoch, "j", 60, 60, 0, 0, 0, "true").code == "exists"
    agent("release", epoch)
    again = agent("lease", "me", 600)[0]
    assert list((phone.workdir / "lease").glob("ran/*")) == []
    agent.start(again, "j", "true")
    agent("release", again)


def test_a_start_that_was_refused_may_be_tried_again(agent: Talk, epoch: int):
    missing = "0" * 64
    assert refused(agent, "start", epoch, "j", 60, 60, 0, 0, 1, f"c={missing}", "true").code == "missing"
    agent.start(epoch, "j", "true")
    assert agent.ended("j") == (0, "-")
