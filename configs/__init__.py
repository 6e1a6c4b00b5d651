"""The recipes; `default.py` says what each field means."""
