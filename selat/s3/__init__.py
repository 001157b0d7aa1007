"""Objects on any store with the S3 API: whole, by ranges, listed, and uploaded in parts that go on."""

from selat.s3.client import Body, Changed, Client, Listed, Seen
from selat.s3.parts import abort, upload
from selat.s3.signed import Bucket, Credentials, Request, Wish, authorization

__all__ = [
    "Body",
    "Bucket",
    "Changed",
    "Client",
    "Credentials",
    "Listed",
    "Request",
    "Seen",
    "Wish",
    "abort",
    "authorization",
    "upload",
]
