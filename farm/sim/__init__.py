"""Simulated devices: a real SSH server each, a stand-in for load_and_run, and faults on demand.

A device is described by `Properties` (all defaults: a healthy device) and started by `SimulatedDevice`;
`fleet` starts several with an inventory for `farm bench`. `ODDITIES` names the odd ones.
"""
