"""MegEngine's wheel on this machine.

Found or fetched, checked, packed for devices.
"""
