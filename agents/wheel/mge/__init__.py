"""MegEngine's wheel as load_and_run: what `load_and_run.py` beside this folder runs."""
