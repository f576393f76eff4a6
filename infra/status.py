"""Say which servers of this machine run, by `python -m infra.status`; exit code 1 where not all of them do."""

from infra.arguments import parser, row, run
from infra.stack import open_stack


def main() -> int:
    """Print a line a server."""
    options = parser(__doc__).parse_args()
    if not options.folder.exists():
        print(f"there are no servers in {options.folder}")
        return 1
    services = open_stack(options.folder).services
    for service in services:
        print(row(service.name, "runs" if service.is_running else "is off", service.address), flush=True)
    return 0 if all(service.is_running for service in services) else 1


if __name__ == "__main__":
    run(main)
