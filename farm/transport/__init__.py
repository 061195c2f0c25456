"""How devices are reached: SSH with verified host keys; the only user of asyncssh."""
