"""Stop the servers that `python -m infra.up` has started, by `python -m infra.down`; what they keep stays."""

from infra.arguments import parser, row, run
from infra.stack import open_stack


def main() -> int:
    """Stop what runs."""
    options = parser(__doc__).parse_args()
    if not options.folder.exists():
        print(f"there are no servers in {options.folder}")
        return 0
    stack = open_stack(options.folder)
    with stack.alone():
        for service, was_running in stack.stop():
            print(row(service.name, "stopped" if was_running else "was off", ""), flush=True)
    return 0


if __name__ == "__main__":
    run(main)
