"""A plan carried out: one lane per device; the only owner of tasks."""
