"""Products of preparations, kept on the controller under a key of everything they depend on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from farm import resources
from farm.files import digest_path, private_folder, sha256_of, write_atomic
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
        """The product of a key, if it is here and intact: a wrong cache would make wrong numbers."""
        try:
            product = Product(**json.loads((self._root / f"{key}.json").read_text("utf-8")))
            path = self._path(product.sha256)
            if sha256_of(path) != product.sha256:
                return None
        except (OSError, ValueError, TypeError):
            return None
        return product, Artifact(product.file_name, product.sha256, product.size_bytes, path)

    def keep(self, product: Product, source: Path) -> Artifact:
        """Copy `source`, whose digest is the product's, and enter it under its key.

        What is there already under that digest and is something else is replaced. Raises OSError.
        """
        path = self._path(product.sha256)
        private_folder(path.parent)
        if not (path.is_file() and sha256_of(path) == product.sha256):
            write_atomic(path, source.read_bytes())
        write_atomic(
            self._root / f"{product.key}.json", json.dumps(asdict(product), indent=1).encode() + b"\n"
        )
        return Artifact(product.file_name, product.sha256, product.size_bytes, path)

    def _path(self, sha256: str) -> Path:
        return digest_path(self._root / "cas", sha256)


def product_store() -> ProductStore:
    """The store in the user's cache folder."""
    return ProductStore(resources.cache_folder() / "products")
