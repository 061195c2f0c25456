"""`farm devices discover`: who answers as an SSH server, whose host key is known, what such a device is."""
