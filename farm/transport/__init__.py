"""How devices are reached: SSH.

Host keys are always verified. The only user of asyncssh.
"""
