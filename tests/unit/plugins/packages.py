"""Packages with entry points, as an installer leaves them: a module, and its metadata beside it."""

from __future__ import annotations

from pathlib import Path


def package(folder: Path, name: str, code: str, *, version: str = "1.0", **entries: str) -> Path:
    """Install one with entry points `exporters`, `report_sections` or `notifications`: `NAME=FUNCTION`,
    separated by blanks. Where its metadata is.
    """
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = []
    for group, texts in entries.items():
        lines.append(f"[farm.{group}]")
        lines += [text.replace("=", f" = {module}:") for text in texts.split()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return info
