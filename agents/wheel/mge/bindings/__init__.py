"""MegEngine's libraries through ctypes: lite's C interface, and what only internal C++ symbols reach."""
