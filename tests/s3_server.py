"""A real S3 server for tests: SeaweedFS, one process on ports and credentials of its own."""

import os
import secrets
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

BUCKET = "bucket"
_PORTS = ("master", "volume", "filer", "s3", "admin")
_GRPC = 10_000
"""What the parts of the server add to a port to find each other's second one."""

_reached: dict[str, str] = {}


class S3Server:
    """A server that can be stopped and started again on the same port, with the same objects.

    Args:
        folder: an empty folder for its data.
    """

    def __init__(self, folder: Path) -> None:
        self.key, self.secret = f"key{secrets.token_hex(8)}", f"word{secrets.token_hex(16)}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        self._client = botocore.session.Session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            config=Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1}, proxies={}),
        )

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports['s3']}"

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """Return the variables by which the AWS tools find the server."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
        }

    def uri(self) -> str:
        """Return the URI of a store that nobody has used."""
        return f"s3://{BUCKET}/{uuid.uuid4().hex}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        ports = [f"-{name}.port={port}" for name, port in self._ports.items()]
        ports += [f"-{name}.port.grpc={port + _GRPC}" for name, port in self._ports.items()]
        off = ["admin.ui=false", "webdav=false", "master.telemetry=false", "s3.iam=false", "s3.autoCreateBucket=false"]
        off += ["s3.port.iceberg=0", "s3.port.lance=0"]
        sockets = [f"-{name}.localSocket={self._folder / name}.sock" for name in ("filer", "s3")]
        with (self._folder / "log").open("ab") as log:
            where = [f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={BUCKET}"]
            self._process = subprocess.Popen(
                [
                    Path(sysconfig.get_path("scripts"), "weed"),
                    "mini",
                    *where,
                    *(f"-{option}" for option in off),
                    *ports,
                    *sockets,
                ],
                env={**os.environ, "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        end = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"the S3 server did not start: {(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for name, port in self._ports.items():
            Path(f"/tmp/seaweedfs-{name}-grpc-{port + _GRPC}.sock").unlink(missing_ok=True)

    def _answers(self) -> bool:
        """Tell whether its bucket is there, which it makes some time after it has begun to answer."""
        try:
            self._client.head_bucket(Bucket=BUCKET)
        except (ClientError, BotoCoreError):
            return False
        return True


@contextmanager
def running() -> Iterator[S3Server]:
    """Run a server with one bucket while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="mapmerge-s3-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for attempt in range(3):
            server = S3Server(folder)
            try:
                server.start()
                break
            except RuntimeError:  # somebody took one of the ports meanwhile
                if attempt == 2:
                    raise
        stack.callback(server.stop)
        yield server


@contextmanager
def reaching(environment: dict[str, str]) -> Iterator[None]:
    """Let this process, and those it starts, reach an S3 server while the block runs."""
    from s3fs import S3FileSystem

    def switch(to: dict[str, str]) -> None:
        if _reached != to:  # a file system keeps the credentials it was made with
            S3FileSystem.clear_instance_cache()
            _reached.clear()
            _reached.update(to)

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        before = dict(_reached)
        switch(environment)
        yield
        switch(before)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One S3 server for the whole session; nobody reaches it who does not ask for `s3`, or uses `reaching`."""
    with running() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server) -> Iterator[str]:
    """The URI of a store on S3 that nobody has used, and the environment to reach it."""
    with reaching(s3_server.environment()):
        yield s3_server.uri()


def _free_ports(count: int) -> list[int]:
    """Return ports that are free, and whose second one is."""
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            port = 10_000 + secrets.randbelow(12_000)  # also the second one is below those that the system gives away
            try:
                for number in (port, port + _GRPC):
                    probe = stack.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            ports.append(port)
        return ports
