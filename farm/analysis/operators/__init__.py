"""Operators of profiles: grouped, side by side, what a difference is made of, and near which ceiling. Pure."""
