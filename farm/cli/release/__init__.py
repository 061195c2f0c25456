"""`farm release`: measure two builds, and the report of a release."""
