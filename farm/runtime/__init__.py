"""MegEngine's wheel on this machine.

Found or fetched, checked, made small for devices.
"""
