"""JUnit XML, as CI systems read it: a suite for each device, a test case for each cell and comparison.

Valid against Jenkins' schema (jenkinsci/xunit-plugin, junit-10.xsd), the strictest that is common.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from farm.export.outcomes import Item, Weight, items
from farm.model.run import Results
from farm.visible import cleaned

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold at all, escaped or not (section 2.2)."""

ELEMENTS = {Weight.BAD: "failure", Weight.BROKEN: "error", Weight.OPEN: "skipped"}
COUNTS = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def junit(results: Results) -> str:
    """`failure` is a confirmed regression or wrong outputs; `error` is what was not measured, or more that is
    undecided than may be; `skipped` what is undecided otherwise, or was not run.
    """
    shown = cleaned(results)
    every = list(items(shown))
    counts = _counts(every)
    del counts["skipped"]  # only a suite has that
    root = ET.Element("testsuites", {"name": _text(shown.run_id), **counts})
    for device in dict.fromkeys(item.device for item in every):
        mine = [item for item in every if item.device == device]
        suite = ET.SubElement(root, "testsuite", {"name": _text(device or "run"), **_counts(mine)})
        properties = ET.SubElement(suite, "properties")
        for name, value in (("run", shown.run_id), ("farm", shown.farm_version), ("seed", str(shown.seed))):
            ET.SubElement(properties, "property", name=name, value=_text(value))
        for item in mine:
            _case(suite, item)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(suite: ET.Element, item: Item) -> None:
    group = "measured" if item.kind in ("completed", "failed", "skipped", "cancelled") else "compared"
    case = ET.SubElement(
        suite, "testcase", classname=f"farm.{group}", name=_text(item.name), status=_text(item.kind)
    )
    element = ELEMENTS.get(item.weight)
    text = _text(item.text)
    if element == "skipped":
        ET.SubElement(case, element, message=text)
    elif element is not None:
        ET.SubElement(case, element, type=_text(item.kind), message=text.partition("\n")[0]).text = text
    elif text:
        ET.SubElement(case, "system-out").text = text


def _counts(every: Sequence[Item]) -> dict[str, str]:
    found = Counter(ELEMENTS.get(item.weight) for item in every)
    return {"tests": str(len(every)), **{name: str(found[one]) for one, name in COUNTS.items()}}


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"<U+{ord(found[0]):04X}>", text)
