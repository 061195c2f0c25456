"""The stand-in for load_and_run on a simulated device: same command line, same lines, set numbers.

Runs as `python -m farm.sim.program MODEL [--flag=value...]` with HOME in the device's home folder.
"""
