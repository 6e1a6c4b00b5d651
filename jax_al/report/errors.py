"""What is said instead of a report."""


class ReportError(ValueError):
    """The input cannot be reported on; the message is one sentence for the user."""
