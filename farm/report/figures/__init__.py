"""Figures of the report: numbers in, positions and texts out.

Pure. `view` has what a template gets, the other files make it; reports/macros/ draws it.
"""
