"""Parsers of what load_and_run prints.

Times, tensors, flags. Pure.
"""
