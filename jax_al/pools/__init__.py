"""Pools: the examples that can be labeled, and where they come from."""
