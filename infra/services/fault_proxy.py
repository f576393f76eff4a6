"""A proxy in front of an S3 server that spoils some of the traffic, by a schedule."""

import http.client
import random
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PASS = "pass"
FAULTS = ("refuse", "lose", "cut", "delay", "500", "502", "503", "504")
"""`refuse`: hang up without asking the server; `lose`: ask it and hang up; `cut`: half of its answer, or none where it
has no body; a number: that status, without asking it. There also are `hang`: no answer at all, `trickle`: one that does
not end, and `slow`: one that comes after `SLOW_S`."""
SLOW_S = 1.5
_NAMES = {"500": "InternalError", "503": "SlowDown", "400": "ExpiredToken"}


def seeded(seed: int, share: float = 0.4) -> Iterator[str]:
    """Yield what happens to each request: a fault for a share of them."""
    chance = random.Random(seed)
    while True:
        yield chance.choice(FAULTS) if chance.random() < share else PASS


class FaultProxy(ThreadingHTTPServer):
    """Passes requests on as they are, the Host header included, since S3 signs it; then or before that, the faults.

    Args:
        upstream: the server's URL.
        faults: what happens to each request, in their order; what comes after the last one passes.
    """

    daemon_threads = True

    def __init__(self, upstream: str, faults: Iterable[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.over = threading.Event()
        self.away = 0
        """How many requests found no server behind the proxy."""
        self._turn = threading.Lock()
        self.spoil(faults)

    @property
    def endpoint(self) -> str:
        """Where clients reach the server through it."""
        return f"http://127.0.0.1:{self.server_port}"

    def spoil(self, faults: Iterable[str]) -> None:
        """Let this happen to the next requests; `happened` begins anew."""
        with self._turn:
            self._faults: Iterator[str] = iter(faults)
            self.happened: list[str] = []

    def stop_spoiling(self) -> int:
        """Take back what is not spoilt yet, and return how many requests were."""
        with self._turn:
            self._faults = iter(())
            return sum(fault != PASS for fault in self.happened)

    def next_fault(self) -> str:
        """Return what happens to the next request."""
        with self._turn:
            fault = next(self._faults, PASS)
            self.happened.append(fault)
            return fault

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over clients that are gone, which a proxy must expect; tell of anything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def faulty(upstream: str, faults: Iterable[str]) -> Iterator[FaultProxy]:
    """Run a proxy while the block runs."""
    proxy = FaultProxy(upstream, faults)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.over.set()
        proxy.shutdown()
        thread.join()
        proxy.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultProxy

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.next_fault()
        self.close_connection = fault in ("refuse", "lose", "cut", "hang", "trickle")
        if fault == "hang":
            self.server.over.wait()
        if fault in ("refuse", "hang"):
            return
        if fault.isdecimal():
            name = _NAMES.get(fault, "Unknown")
            text = f"<?xml version='1.0'?><Error><Code>{name}</Code><Message>no</Message></Error>".encode()
            self._answer(int(fault), [("Content-Type", "application/xml")], text)
            return
        if fault in ("delay", "slow"):
            time.sleep(0.05 if fault == "delay" else SLOW_S)
        if fault == "trickle":
            self._answer(200, [], b"x" * 1000, cut=True)
            while not self.server.over.wait(0.05):
                self.wfile.write(b"x")
            return
        try:
            status, headers, answer = self._ask(body)
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # as the server itself would leave its client
            self.server.away += 1
            return
        if fault == "lose" or (fault == "cut" and (len(answer) < 2 or self.command == "HEAD")):
            return
        self._answer(status, headers, answer, cut=fault == "cut")

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass  # noqa: N815

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        server = http.client.HTTPConnection(self.server.upstream, timeout=30)
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for header, value in self.headers.items():
            if header.lower() not in ("expect", "connection"):  # settled between client and proxy; neither is signed
                server.putheader(header, value)
        server.putheader("Connection", "close")
        server.endheaders(body)
        answer = server.getresponse()
        data = answer.read()
        server.close()
        return answer.status, answer.getheaders(), data

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, *, cut: bool = False) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for header, value in headers:
            if header.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif header.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(header, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
