"""What a device can do at most, as its inventory says it: `ceilings:`."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from farm.cores import AUTOMATIC, given_core_ids
from farm.inventory.entry import Entry, Text
from farm.inventory.yaml_source import Document
from farm.model.device import Device
from farm.model.limits.ceilings import GivenCeilings
from farm.suggest import nearest

MOST = 1e9
"""GFLOP/s and GB/s: nothing that exists comes near it."""

Rate = Annotated[float, Field(gt=0, le=MOST, allow_inf_nan=False)]


class CeilingsEntry(Entry):
    """GFLOP/s and GB/s of the cells that compute with these cores, this number of threads, or the GPU."""

    gflops: Rate = Field(description="operations of float32 in a second, 1e9")
    gbps: Rate = Field(description="bytes of memory read and written in a second, 1e9")
    threads: int | None = Field(None, ge=1, le=4096, description="of the pool; default: any number")
    cores: Text | None = Field(None, description="a name of cores, or ids as 4-7; default: any, or none")
    gpu: bool | None = Field(None, description="whether the cells run on the GPU; default: either")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if self.gpu and (self.threads is not None or self.cores is not None):
            raise ValueError("gpu: the threads and cores of a processor do not compute there")
        return self


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else [] if value is None else value


class _OneOrMore:
    """For editors: an entry alone is valid, too."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        several = handler(core)
        return {"anyOf": [several["items"], several]}


CeilingsEntries = Annotated[tuple[CeilingsEntry, ...], BeforeValidator(_as_list), _OneOrMore()]
"""One entry or a list of them."""


def ceilings_of(entries: tuple[CeilingsEntry, ...] | None) -> tuple[GivenCeilings, ...]:
    return tuple(
        GivenCeilings(
            one.gflops, one.gbps, one.threads, one.cores, False if one.threads or one.cores else one.gpu
        )
        for one in entries or ()
    )


def check_ceilings(document: Document, device: Device) -> None:
    """Report cores of ceilings that are none."""
    known = (*dict(device.cores), *AUTOMATIC)
    for given in device.ceilings:
        if given.cores is None or given.cores in known:
            continue
        try:
            given_core_ids(given.cores)
        except ValueError as error:
            text = f"cores: {error}{nearest(given.cores, known)}"
            document.report(("devices", device.name, "ceilings"), text)
