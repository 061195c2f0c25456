"""SSH connections to devices.

Host keys are always verified. The only user of asyncssh.
"""
