"""Everything that is exchanged with one device.

The agent and its protocol, jobs, and the session that keeps connection and lease.
"""
