"""From results to one HTML file.

Pure until it is written.
"""
