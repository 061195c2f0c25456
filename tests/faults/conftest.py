"""What tests of faults need: that of tests with simulated devices."""

from __future__ import annotations

from tests.sim.conftest import devices, farm

__all__ = ["devices", "farm"]
