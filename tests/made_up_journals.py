"""Events and results of a part, on a pool of `N` points with `CLASSES`."""

from jax_al.session.journal import Journal
from jax_al.session.opening import begin
from jax_al.session.work import Answered, Selected
from jax_al.types import Answer

N = 40
CLASSES = ["ant", "bee", "cat"]


def recorded(directory, size, classes=tuple(CLASSES)):
    """A journal in which a part has begun, and no more."""
    journal = Journal(directory)
    begin(
        journal,
        strategy="random",
        seed=0,
        data={"name": "made_up", "version": "", "size": size},
        classes=classes,
        config={},
        versions={},
    )
    return journal


def begun(strategy="made_up", seed=0, classes=tuple(CLASSES), size=N):
    return {
        "event": "begun",
        "format": 1,
        "strategy": strategy,
        "seed": seed,
        "data": {"name": "made_up", "version": "1", "size": size},
        "classes": list(classes),
        "config": {"budget": 3},
        "at": 1.0,
    }


def asked(request, episode, rows, **changes):
    return {
        "event": "asked",
        "request": request,
        "episode": episode,
        "rows": list(rows),
        "ids": [f"{row}.png" for row in rows],
        "index": [100 + row for row in rows],
        "scores": None,
        "info": {},
        "near_duplicate_share": None,
        "seconds_embed": 0.5,
        "seconds_select": 0.25,
        "pseudo_labels": None,
        "at": 2.0,
    } | changes


def answered(answers, relabel=False, request=None):
    event = {
        "event": "answered",
        "request": request,
        "answers": [[row, decision] for row, decision in dict(answers).items()],
        "who": "eve",
        "when": 3.0,
        "at": 3.0,
    }
    return event | ({"relabel": True} if relabel else {})


def closed(request):
    return {"event": "closed", "request": request, "at": 4.0}


def undone(number):
    return {"event": "undone", "of": number, "at": 5.0}


def trained(episode, as_of, **metrics):
    return {
        "event": "trained",
        "episode": episode,
        "as_of": as_of,
        "metrics": metrics,
        "digest": f"d{episode}",
        "at": 6.0,
    }


def merged(id, into):
    return {"event": "class_merged", "id": id, "into": into, "at": 7.0}


def added(id, name):
    return {"event": "class_added", "id": id, "name": name, "at": 7.0}


def renamed(id, name):
    return {"event": "class_renamed", "id": id, "name": name, "at": 7.0}


def selected(work, rows):
    ids, index = [f"{row}.png" for row in rows], [100 + row for row in rows]
    return Selected(
        work.request, work.episode, rows, ids, index, None, {"x": 1.0}, 0.0, 0.5, 0.25, None
    )


def told(rows, decision=0, when=0.0, who="eve"):
    return Answered([Answer(row, decision, who, when) for row in rows])


def drawn(rows, why, episode=0):
    return {
        "event": "drawn",
        "episode": episode,
        "rows": list(rows),
        "ids": [f"{row}.png" for row in rows],
        "index": [100 + row for row in rows],
        "why": why,
        "at": 6.0,
    }


def withdrawn(draw, rows):
    return {"event": "withdrawn", "draw": draw, "rows": list(rows), "at": 6.5}
