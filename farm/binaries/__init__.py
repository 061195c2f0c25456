"""What a program file is, and which devices it is for.

ELF headers, scripts and architectures. Pure.
"""
