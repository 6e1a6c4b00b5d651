"""Oracles: who answers."""
