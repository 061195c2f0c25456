"""From results to one HTML file.

Pure until the file is written.
"""
