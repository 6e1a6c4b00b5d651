"""Contracts as functions: whether a part of one's own keeps what the project relies on."""
