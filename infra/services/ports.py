"""Ports of 127.0.0.1 that nobody listens on."""

import secrets
import socket
from contextlib import ExitStack


def free_ports(count: int, *, second: int = 0) -> list[int]:
    """Return different ports that are free; below those that the system gives away itself.

    Args:
        count: how many.
        second: what a server adds to each of its ports to get another one, which is free too; 0 for none.
    """
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            port = 10_000 + secrets.randbelow(12_000)
            if all(_take(stack, number) for number in {port, port + second}):
                ports.append(port)
        return ports


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a port now."""
    with ExitStack() as stack:
        return _take(stack, port)


def _take(stack: ExitStack, port: int) -> bool:
    """Hold a port until the stack is left; False where somebody else has it."""
    probe = stack.enter_context(socket.socket())
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: connections of before are no matter
    try:
        probe.bind(("127.0.0.1", port))
        probe.listen()  # two sockets that only bind may share a port
    except OSError:
        return False
    return True
