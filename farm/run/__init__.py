"""Running a plan, one lane per device.

The only owner of tasks.
"""
