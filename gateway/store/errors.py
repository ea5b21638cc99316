"""What the store says when a write does not go through."""


class Conflict(Exception):
    """Another writer was first: a unique key is taken or a guarded row has moved. Read again, decide again."""


class StoreContended(Exception):
    """The same job lost against other writers too many times in a row. Answer 503; nothing was written."""


class StoreUnavailable(Exception):
    """The database cannot be reached, or broke off. Whether a write happened is not known: answer 503, never 2xx."""
