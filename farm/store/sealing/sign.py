"""A signature with a key of OpenSSH, as git makes one: `ssh-keygen -Y sign`, form SSHSIG.

Source: PROTOCOL.sshsig of OpenSSH. `ssh-keygen -Y verify` checks it, with a file of allowed signers.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from farm.errors import RequestError, RunError
from farm.files import SHARED_FILE, is_file, write_atomic
from farm.model.limits.deadlines import Deadlines
from farm.store.sealing.digests import SIGNATURE
from farm.visible import one_line

NAMESPACE = "farm-release"
PROGRAM = "ssh-keygen"


def require_signer(key: Path, deadlines: Deadlines) -> None:
    """Raise RequestError where this key cannot sign: now, not when hours were measured."""
    if shutil.which(PROGRAM) is None:
        raise RequestError(f"--sign needs {PROGRAM}, which is not here", hint="install OpenSSH's client")
    if not is_file(key):
        raise RequestError(
            f"--sign: no key {key}", hint=f"{PROGRAM} -t ed25519 -f FILE makes one; its .pub is for an agent"
        )
    try:
        _signature(b"", key, deadlines)
    except RunError as error:
        raise RequestError(f"--sign {key}: {error.message}", hint=error.hint) from error


def sign(path: Path, key: Path, deadlines: Deadlines) -> Path:
    """Write the signature of a file beside it. Raises RunError where that fails."""
    target = path.with_name(path.name + SIGNATURE)
    try:
        write_atomic(target.resolve(), _signature(path.read_bytes(), key, deadlines), mode=SHARED_FILE)
    except OSError as error:
        raise RunError(f"cannot sign {path}: {error.strerror or error}") from error
    return target


def _signature(data: bytes, key: Path, deadlines: Deadlines) -> bytes:
    """The key's passphrase is asked for by ssh-keygen itself, on the terminal or by SSH_ASKPASS."""
    command = (PROGRAM, "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(key))
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=deadlines.sign_s, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise RunError(
            f"{PROGRAM} did not sign {deadlines.ran_out('sign')}",
            hint=f"put the key into an agent (ssh-add {key}), or {deadlines.more('sign')}",
        ) from error
    except OSError as error:
        raise RunError(f"cannot start {PROGRAM}: {error.strerror or error}") from error
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        told = one_line(done.stderr.decode("utf-8", "replace"), 200) or f"exit code {done.returncode}"
        raise RunError(f"{PROGRAM} did not sign: {told}", hint=f"{' '.join(command)} < FILE   shows why")
    return done.stdout
