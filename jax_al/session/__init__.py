"""The record of one seed: what has happened, and what that leaves to do."""
