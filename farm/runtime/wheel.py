"""The pinned wheel of the `wheel` runtime, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Library:
    """A shared library in the wheel. `name` is its file name everywhere else."""

    member: str
    sha256: str
    size_bytes: int

    @property
    def name(self) -> str:
        return self.member.rpartition("/")[2]


@dataclass(frozen=True)
class Wheel:
    """A wheel of MegEngine, for CPython `python` on `platform`.

    `libraries` are the only files kept. `cuda_sections` are the ELF sections of the first library that
    hold code for NVIDIA GPUs only, `zeroed_bytes` in all; with these filled with zeros its digest is
    `zeroed_sha256`.
    """

    project: str
    version: str
    python: str
    platform: str
    file_name: str
    sha256: str
    size_bytes: int
    libraries: tuple[Library, ...]
    cuda_sections: tuple[str, ...] = ()
    zeroed_sha256: str = ""
    zeroed_bytes: int = 0

    @property
    def key(self) -> str:
        """Name of the folder of this runtime in the cache."""
        return f"{self.project}-{self.version}-{self.sha256[:12]}"

    @property
    def libraries_bytes(self) -> int:
        return sum(library.size_bytes for library in self.libraries)


WHEEL = Wheel(
    project="megengine",
    version="1.13.0",
    python="3.10",
    platform="manylinux2014_x86_64",
    file_name="MegEngine-1.13.0-cp310-cp310-manylinux2014_x86_64.whl",
    sha256="1f93ed6eecc2729137b0b1677ec6b2e06707826c2161794b850c0ba931136dd4",
    size_bytes=936_639_541,
    libraries=(
        Library(
            "megengine/core/lib/libmegengine_shared.so",
            "5fc4cf861e6ef2304530fb93cd0789fe2c3c1d670c87497e1ea792f0c7a80fad",
            1_571_279_640,
        ),
        Library(
            "megengine/core/lib/libnvrtc.so.10.1",
            "1b202b41b28de5077ecf1ed236adfde3ceef3d3caa0f8fcf6b47995b9cbfaef9",
            21_795_560,
        ),
        Library(
            "megengine/core/lib/libnvToolsExt.so.1",
            "3965bdd0bf4586e5de27afecede7c5251f03aa96c0bc9fcc754f40b89677502e",
            37_240,
        ),
        Library(
            "megengine/core/lib/libatomic.so.1",
            "3575083332fd0c2ac11092d0676602499511ba4b74abbc657eab9e514d9e15b7",
            26_704,
        ),
        Library(
            "megenginelite/libs/liblite_shared_whl.cpython-310-x86_64-linux-gnu.so",
            "01ecf21db20551c96886421cda4537fb7416b762f98c524e1ff5186027855591",
            713_816,
        ),
    ),
    cuda_sections=(".nv_fatbin", "__nv_relfatbin", ".nvFatBinSegment"),
    zeroed_bytes=1_224_189_760,
    zeroed_sha256="fe05215732dae4d2085c7d716397f2e51b3749a3deeba70a12328ed9286ee8ed",
)
