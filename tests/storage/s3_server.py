"""A real S3 over HTTP on loopback, moto's.

    with S3Server() as s3:
        s3.put("films", "a.mp4")
        ...  # with s3.environment
        write_url("s3://films/a.jpg", b"...", content_type="image/jpeg")

moto is optional: `pytest.importorskip` it before.
"""

import logging
import os
from typing import Self


def environment_of_s3(url: str) -> dict[str, str]:
    """Return the environment variables of a client of this endpoint, with valid keys."""
    return {
        "AWS_ACCESS_KEY_ID": "test-access-key",
        "AWS_SECRET_ACCESS_KEY": "test-secret-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "no_proxy": "127.0.0.1,localhost",
    }


class S3Server:
    """The server, a context manager.

    Attributes:
        client: boto3's, for looking at what is there.
        environment: of a client with valid keys.
    """

    def __enter__(self) -> Self:
        import boto3
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.url = "http://{}:{}".format(*self._server.get_host_and_port())
        self.environment = environment_of_s3(self.url)
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="test-access-key",
            aws_secret_access_key="test-secret-key",
            region_name="us-east-1",
        )
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.stop()

    def put(self, bucket: str, *keys: str, size: int = 1) -> None:
        """Create a bucket with these objects, and no others."""
        self.client.create_bucket(Bucket=bucket)
        for key in self.keys(bucket):
            self.client.delete_object(Bucket=bucket, Key=key)
        for key in keys:
            self.client.put_object(Bucket=bucket, Key=key, Body=b"x" * size)

    @property
    def buckets(self) -> set[str]:
        """The names of all buckets."""
        return {bucket["Name"] for bucket in self.client.list_buckets()["Buckets"]}

    def keys(self, bucket: str) -> list[str]:
        """The keys in a bucket."""
        found = self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [each["Key"] for each in found]
