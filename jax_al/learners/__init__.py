"""Learners: what fits and predicts."""
