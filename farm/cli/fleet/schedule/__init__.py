"""`farm schedule`: runs that the fleet begins by itself."""
