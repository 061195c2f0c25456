"""Products of preparations, kept on the controller under a key of everything they depend on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import copyfile

from farm.files import digest_path, sha256_of, write_atomic
from farm.model.artifact import Artifact


@dataclass(frozen=True)
class Product:
    """A fast-run cache, a TensorRT cache or a transformed model. `seconds` is how long making it took."""

    key: str
    kind: str
    file_name: str
    sha256: str
    size_bytes: int
    seconds: float
    run_id: str


class ProductStore:
    """A folder: `<key>.json` describes `cas/<aa>/<sha256>`. Safe for concurrent farms: files are written
    aside and renamed, and a file with the wrong digest is not used.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, key: str) -> tuple[Product, Artifact] | None:
        """The product of a key, if it is here and intact."""
        try:
            product = Product(**json.loads((self._root / f"{key}.json").read_text("utf-8")))
            path = self._path(product.sha256)
            if sha256_of(path) != product.sha256:
                return None
        except (OSError, ValueError, TypeError):
            return None
        return product, Artifact(product.file_name, product.sha256, product.size_bytes, path)

    def keep(self, product: Product, source: Path) -> Artifact:
        """Copy `source`, whose digest is the product's, and enter it under its key."""
        path = self._path(product.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            aside = path.with_suffix(f".{product.key[:8]}.part")
            copyfile(source, aside)
            aside.replace(path)
        write_atomic(
            self._root / f"{product.key}.json", json.dumps(asdict(product), indent=1).encode() + b"\n"
        )
        return Artifact(product.file_name, product.sha256, product.size_bytes, path)

    def _path(self, sha256: str) -> Path:
        return digest_path(self._root / "cas", sha256)
