"""Checks that a strategy, learner, pool or oracle from outside keeps its promises."""
