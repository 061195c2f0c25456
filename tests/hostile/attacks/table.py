"""All attacks, by what they are about."""

from __future__ import annotations

from tests.hostile.attack import Attack
from tests.hostile.attacks import bombs, names, protocol, sizes, ssh, texts

GROUPS: dict[str, tuple[Attack, ...]] = {
    "names": names.ATTACKS,
    "sizes": sizes.ATTACKS,
    "texts": texts.ATTACKS,
    "bombs": bombs.ATTACKS,
    "protocol": protocol.ATTACKS,
    "ssh": ssh.ATTACKS,
}
EVERY = tuple(attack for group in GROUPS.values() for attack in group)
