"""`farm devices`: listing, checking, trusting; and what is wrong with a request before any device is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Farm, Lab


@pytest.mark.sshd
def test_an_unknown_key_is_refused_until_it_is_trusted(lab: Lab, tmp_path: Path) -> None:
    lab.native()
    known = tmp_path / "inventory" / "known_hosts"
    known.unlink()
    before = lab.farm("devices", "check", "arm-*")
    assert before.code == 3
    assert "farm devices trust arm-1" in before.stderr
    trusted = lab.farm("devices", "trust", "arm-*", "--yes")
    assert trusted.code == 0, trusted.stderr
    assert trusted.stdout.count("SHA256:") == 3
    assert len(known.read_text().splitlines()) == 3
    after = lab.farm("devices", "check", "arm-*")
    assert after.code == 0, after.stderr
    assert after.stdout.count("free") == 3
    for column in ("memory left", "disk left", "governor", "temperature"):
        assert column in after.stdout


@pytest.mark.sshd
def test_a_key_is_trusted_only_after_a_yes(lab: Lab, tmp_path: Path) -> None:
    lab.native()
    known = tmp_path / "inventory" / "known_hosts"
    known.unlink()
    asked = lab.farm("devices", "trust", "arm-1")  # nobody answers: the input is at its end
    assert "Trust" in asked.stderr
    assert asked.code == 2
    assert not known.exists()


@pytest.mark.sshd
def test_a_changed_key_is_pinned_only_when_asked_to_replace(lab: Lab, tmp_path: Path) -> None:
    lab.native()
    known = tmp_path / "inventory" / "known_hosts"
    arm_1 = lab.servers.servers["arm-1"].known_hosts_line
    foreign = lab.servers.servers["gpu-2"].known_hosts_line.split(maxsplit=1)[1]
    known.write_text(f"{arm_1.split()[0]} {foreign}\n")
    refused = lab.farm("devices", "trust", "arm-1", "--yes")
    assert refused.code == 2, refused.stderr
    assert lab.farm("devices", "trust", "arm-1", "--yes", "--replace").code == 0
    assert arm_1 in known.read_text()


@pytest.mark.sshd
def test_list_shows_the_inventory_and_touches_nothing(lab: Lab) -> None:
    lab.native(arm_1={"port": 1})
    listed = lab.farm("devices", "list", "arm-*", "--json")
    assert [device["name"] for device in json.loads(listed.stdout)] == ["arm-1", "arm-2", "arm-3"]


WRONG = [
    (["--devices", "arm-9"], "arm-9"),
    (["--devices", "locla"], "local"),
    (["--model", "no-such.mge"], "no-such.mge"),
    (["--model", "empty.mge"], "empty"),
    (["--model", "text.mge"], "not a MegEngine model"),
    (["--model", "bundled:tinny"], "tiny"),
    (["--variant", "x=--itre 5"], "iter"),
    (["--variant", "x=--iter five"], "iter"),
    (["--variant", "x=--cpu", "--variant", "x=--cpu"], "x"),
    (["--iter", "-1"], "iter"),
    (["--input", "data:missing.npy"], "missing.npy"),
    (["--enable-nchw44", "--enable-nchw88"], "layout"),
    (["--multi-thread-core-ids", "0,1"], "multithread"),
    (["--suite", "no-suite.yaml"], "no-suite.yaml"),
    (["--baseline", "nobody"], "nobody"),
    (["--baseline", "latest"], "no runs"),
    (["--ab", "tiny,shuflenet_v2_x0_5"], "shufflenet_v2_x0_5"),
    (["--rounds", "0"], "auto"),
    (["--budget", "soon"], "10m"),
    (["--inventory", "twice.yaml"], "twice.yaml:3"),
    (["--run-id", "../up"], "run id"),
    (["--rocm"], "rocm"),
]


@pytest.mark.parametrize(
    ("words", "named"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_wrong_request_is_refused_before_any_device_and_leaves_no_run(
    farm: Farm, tmp_path: Path, words: list[str], named: str
) -> None:
    (tmp_path / "empty.mge").touch()
    (tmp_path / "text.mge").write_text("This is no model, only a text that is long enough.")
    (tmp_path / "twice.yaml").write_text("devices:\n  a: {address: h1}\n  a: {address: h2}\n")
    outcome = farm("bench", *words)
    assert outcome.code == 2, outcome.stderr
    assert named in outcome.stderr
    assert not (tmp_path / "runs").exists()
    assert "Traceback" not in outcome.stderr


def test_an_unknown_option_names_the_nearest(farm: Farm) -> None:
    outcome = farm("bench", "--warmupiter", "3")
    assert outcome.code == 2
    assert "--warmup-iter" in outcome.stderr


def test_underscores_and_documented_misspellings_are_accepted_with_a_note(farm: Farm) -> None:
    outcome = farm("plan", "--model", "bundled:tiny", "--warmup_iter", "3", "--mode-info", "--json")
    assert outcome.code == 0, outcome.stderr
    (cell,) = json.loads(outcome.stdout)["cells"]
    assert cell["options"] == {"warmup-iter": 3, "model-info": True}
    assert "misspelling" in outcome.stderr


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --command")]
)
def test_completion_is_offered_for_the_usual_shells(farm: Farm, shell: str, word: str) -> None:
    # Else the shell that the tests were started from is looked for, and the one named here is not read.
    farm.environment["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"
    outcome = farm("--show-completion", shell)
    assert outcome.code == 0, outcome.stderr
    assert word in outcome.stdout
    assert "farm" in outcome.stdout
