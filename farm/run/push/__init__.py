"""What a device lacks is sent to it: in few calls, and only what it does not have in an older file."""
