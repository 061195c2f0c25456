"""What is kept on disk.

Run directories, products of preparations, flags of programs, files by digest.
"""
