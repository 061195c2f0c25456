"""A plan carried out, one lane per device.

The only owner of tasks.
"""
