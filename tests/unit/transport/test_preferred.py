"""The order in which farm offers algorithms where none are configured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from farm.transport.openssh import preferred


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What asyncssh knows is asked for once in a process."""
    preferred._kex.cache_clear()
    yield
    preferred._kex.cache_clear()


HYBRID, X25519, X448 = "mlkem768x25519-sha256", "curve25519-sha256", "curve448-sha512"
P256, P521 = "ecdh-sha2-nistp256", "ecdh-sha2-nistp521"


@pytest.mark.parametrize(
    ("known", "offered"),
    [
        pytest.param((HYBRID, X25519, X448, P256), (HYBRID, P256, X25519, X448), id="hybrids stay first"),
        pytest.param((HYBRID, P521, P256), (HYBRID, P521, P256), id="without X25519, as with FIPS"),
        pytest.param((X25519, P521), (X25519, P521), id="without P-256"),
    ],
)
def test_p256_comes_before_x25519_and_nothing_is_left_out(
    monkeypatch: pytest.MonkeyPatch, known: tuple[str, ...], offered: tuple[str, ...]
) -> None:
    monkeypatch.setattr(preferred, "get_default_kex_algs", lambda: [name.encode() for name in known])
    assert preferred.preferred()["kex_algs"] == [*offered]
