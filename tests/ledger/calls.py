"""Every call of a store, to be tried on bad days, and how finely a store tells the time."""

ALL = {
    "read": lambda store: store.read("a.json"),
    "read_many": lambda store: store.read_many(["a.json", "b.json"]),
    "create": lambda store: store.create("a.json", b"1"),
    "replace": lambda store: store.replace("a.json", b"1"),
    "move": lambda store: store.move("a.json", "b.json"),
    "delete": lambda store: store.delete("a.json"),
    "exists": lambda store: store.exists("a.json"),
    "list": lambda store: store.list(),
}


def tick(store):
    """Return seconds after which a later object has a later time; S3 tells whole seconds."""
    return 1.1 if store.uri.startswith("s3:") else 0.02
