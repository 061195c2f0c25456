"""`farm profiles`: operators of a run's profiles, and side by side."""
