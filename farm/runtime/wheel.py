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

    `libraries` are the only files kept. Of the first, `cuda_sections` are the ELF sections that hold code
    for NVIDIA GPUs only, and `cuda_tables` are tables, (offset, size) in bytes, of which only cuRAND has the
    addresses: `zeroed_bytes` in all. With these filled with zeros its digest is `zeroed_sha256`.
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
    cuda_tables: tuple[tuple[int, int], ...] = ()
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
    # Whole pages, so that agents/wheel/mge/bindings/left_out.py can lock all that is missing: of the two
    # curand_precomputed_mt19937_polynomials (.rodata), and of the direction vectors of 64 bits (.data).
    cuda_tables=((0xED1D000, 20_443_136), (0x5ACB7000, 20_475_904)),
    zeroed_bytes=1_265_108_800,
    zeroed_sha256="38e2bdc84a9300a92e201c7ccbaf9e10adb2374d8abb910cbca25fb0ce7695a9",
)
