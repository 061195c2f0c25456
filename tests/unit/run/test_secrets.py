"""Which variables of an environment are secret."""

from __future__ import annotations

import pytest

from farm.run.secrets import HIDDEN, is_secret, shown


@pytest.mark.parametrize(
    "name",
    ["TOKEN", "HF_TOKEN", "GITHUBTOKEN", "AWS_SECRET_ACCESS_KEY", "db_password", "API_KEY", "APIKEY", "MY_AUTH",
     "SSH_PASSPHRASE", "SIGNING_KEY", "PRIVATE_KEY_FILE", "SESSION_COOKIE", "CREDENTIALS"],
)  # fmt: skip
def test_names_that_mean_a_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["PATH", "LD_LIBRARY_PATH", "PWD", "OLDPWD", "OMP_NUM_THREADS", "MGB_LOG_LEVEL", "KEYBOARD", "MONKEY",
             "COMPASS", "LOOKALIKE", "AUTHOR", "BYPASS_CHECK", "TOKENIZERS_PARALLELISM"]
)  # fmt: skip
def test_names_that_do_not(name: str) -> None:
    assert not is_secret(name)


def test_an_environment_is_shown_without_its_secrets_however_short() -> None:
    assert shown((("A_KEY", "x"), ("MODE", "y"))) == (("A_KEY", HIDDEN), ("MODE", "y"))
