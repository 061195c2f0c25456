"""`farm bisect`: the builds in order, the steps, and what they came to."""
