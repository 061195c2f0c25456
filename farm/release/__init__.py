"""Several runs, versions side by side: the report that decides a release.

Verdicts are those of the runs and of `farm compare`; nothing here makes one.
"""
