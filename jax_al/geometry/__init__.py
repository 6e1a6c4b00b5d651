"""Geometry on a matrix of points: useful to someone who has nothing else."""
