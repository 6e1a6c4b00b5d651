"""A listener that keeps what a person may want to see of each query (see `looks.py`)."""

import pathlib

import numpy as np

from jax_al.pools.rows import base_of
from jax_al.record.listeners import Event
from jax_al.record.looks import SHOWN, write_map, write_query


class LookWriter:
    """Writes PART/looks at each query of a part that has a directory."""

    def on_event(self, event: Event) -> None:
        """Takes `looked`: directory, episode, rows, scores, signals, embedding (its name), pool."""
        if event["event"] != "looked" or event["directory"] is None:
            return
        place = pathlib.Path(event["directory"]) / "looks"
        signals, rows = event["signals"], event["rows"]
        probs = signals.log_probs if signals.log_probs is not None else signals.mc_probs
        images = None
        base = base_of(event["pool"])  # a person looks at an image, not at features of it
        if base.spec.is_image:
            images = base.read(rows[:SHOWN])
        known = None if probs is None else np.asarray(probs)
        write_query(place, event["episode"], rows, event["scores"], known, images)
        if signals.embedding is not None:
            write_map(place, np.asarray(signals.embedding), event["embedding"])
