"""Start the servers of this machine, and let them go on: S3, PostgreSQL, Prefect with a worker, and Ray.

    python -m infra.up

What runs already is left alone. Where one cannot be started, those before it go on: start again, or stop them by
`python -m infra.down`.
"""

from infra.arguments import parser, row, run
from infra.services.service import PortTakenError, ServiceError
from infra.stack import BUCKET, PORTS, open_stack


def main() -> int:
    """Start what does not run, and say how to use it."""
    arguments = parser(__doc__)
    for name, port in PORTS.items():
        help_ = f"of {name} (default: that of the last time, at first {port})"
        arguments.add_argument(f"--{name}-port", type=int, metavar="PORT", help=help_)
    options = arguments.parse_args()
    chosen = {name: getattr(options, f"{name}_port") for name in PORTS}
    stack = open_stack(options.folder, {name: port for name, port in chosen.items() if port is not None})
    with stack.alone():
        try:
            for service, started in stack.start():
                print(row(service.name, "started" if started else "runs", service.address), flush=True)
        except PortTakenError as error:
            taken = [name for name, port in stack.ports.items() if port == error.port]
            raise ServiceError(
                "; choose another one by ".join([str(error), *(f"--{name}-port" for name in taken)])
            ) from None
    print(f"""
For your shell, with the keys of S3 and the token of Ray:   . {stack.env_file}
  PREFECT_API_URL={stack.prefect.api_url}
  AWS_ENDPOINT_URL={stack.seaweed.endpoint}
Then:   mapmerge run study.yaml --output s3://{BUCKET}/out --set compute.address={stack.ray.address}""")
    return 0


if __name__ == "__main__":
    run(main)
