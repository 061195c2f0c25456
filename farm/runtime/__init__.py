"""MegEngine's wheel on this machine: found, fetched, made small."""
