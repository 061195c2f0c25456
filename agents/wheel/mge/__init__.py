"""MegEngine's wheel as load_and_run: what `load_and_run.py` beside this folder runs.

Without this file the folder would give way to any package `mge` that is installed on a device.
"""
