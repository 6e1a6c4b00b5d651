"""A desk in memory, for what the page and its guard do whatever lies behind them."""

import threading

from jax_al.errors import UsageError
from jax_al.people.desk import ConflictError, Item
from tests.made_up_pictures import encoded, pixels


class MadeUpDesk:
    """Hands out rows in turn and remembers what was said, in order.

    Attributes:
      told: row -> what stands.
      calls: each answer and undo that was no repetition, in order.
      fails: raised in place of the next answers, while it is set.
    """

    def __init__(self, num_items, classes, names=None, errors=()):
        self.ids = names or [f"photos/{k:03}.jpg" for k in range(num_items)]
        self.names, self.errors, self.project = list(classes), list(errors), "photos"
        self.told, self.calls, self.fails = {}, [], None
        self._handed, self._tokens, self._stack = {}, set(), []
        self._lock = threading.Lock()

    def classes(self):
        said = list(self.told.values())
        return [{"id": k, "name": n, "count": said.count(n)} for k, n in enumerate(self.names)]

    def next(self, client, count, holding):
        with self._lock:
            free = [r for r in range(len(self.ids)) if r not in self.told and r not in holding]
            own = [r for r in free if self._handed.get(r, client) == client]
            chosen = (own or free)[:count]
            self._handed |= dict.fromkeys(chosen, client)
            return [self._item(row) for row in chosen]

    def answer(self, row, said, client, token, seconds, relabel=False):
        with self._lock:
            if self.fails:
                raise self.fails
            if token in self._tokens:
                return
            if not 0 <= row < len(self.ids):
                raise UsageError(f"There is no row {row}.")
            before = self.told.get(row)
            if before not in (None, said) and not relabel:
                raise ConflictError(f"Somebody said {before} of {self.ids[row]}.")
            self._tokens.add(token)
            self.told[row] = said
            self._stack.append((token, row, before))
            self.calls.append((row, said))

    def undo(self, client, token, of=""):
        with self._lock:
            fitting = [one for one in self._stack if not of or one[0] == of]
            if token in self._tokens or not fitting:
                return None
            self._tokens.add(token)
            self._stack.remove(fitting[-1])
            _, row, before = fitting[-1]
            del self.told[row]
            if before is not None:
                self.told[row] = before
            self.calls.append((row, None))
            return self._item(row)

    def add_class(self, name):
        if not name or name in self.names:
            raise UsageError(f"There is a class {name!r} already.")
        self.names.append(name)

    def rename_class(self, old, new):
        self.names[self.names.index(old)] = new
        self.told = {row: new if said == old else said for row, said in self.told.items()}

    def merge_class(self, gone, into):
        self.names.remove(gone)
        self.told = {row: into if said == gone else said for row, said in self.told.items()}

    def past(self, client, count):
        del client
        return [self._item(row) for row in list(self.told)[::-1][:count]]

    def alike(self, client, row, count=12):
        del client
        rest = [r for r in range(len(self.ids)) if r not in self.told and r != row]
        return [self._item(r) for r in sorted(rest, key=lambda r: abs(r - row))[:count]]

    def picture(self, row, width):
        if not 0 <= row < len(self.ids):
            raise UsageError(f"There is no row {row}.")
        small = pixels(row, 90, 120)
        return encoded(small, "JPEG"), "image/jpeg"

    def status(self):
        return {
            "project": self.project, "labels": len(self.told), "left": None, "per_minute": None,
            "training": "", "accuracy": None, "advice": [], "errors": self.errors,
        }  # fmt: skip

    def close(self):
        """Nothing is held."""

    def _item(self, row):
        return Item(row, self.ids[row], "strategy", self.told.get(row), None)
