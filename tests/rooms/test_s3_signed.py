"""Our signatures are those of the published examples, and of botocore for any name and query."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selat.s3 import Credentials, Request, authorization

KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EMPTY = hashlib.sha256(b"").hexdigest()
WELCOME = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()
HOST = {"host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z"}
PUT = {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}


@pytest.mark.parametrize(
    ("request_", "signature"),
    [
        (
            Request("GET", "/test.txt", {}, HOST | {"range": "bytes=0-9", "x-amz-content-sha256": EMPTY}, EMPTY),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            Request("PUT", "/test%24file.text", {}, HOST | PUT | {"x-amz-content-sha256": WELCOME}, WELCOME),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            Request("GET", "/", {"max-keys": "2", "prefix": "J"}, HOST | {"x-amz-content-sha256": EMPTY}, EMPTY),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_signatures_are_those_of_the_published_examples(request_: Request, signature: str) -> None:
    assert authorization(request_, KEYS, "us-east-1").endswith(f"Signature={signature}")


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(deadline=None)
@given(name=WORDS, query=st.dictionaries(WORDS, WORDS, max_size=3), data=st.binary(max_size=64))
def test_any_request_is_signed_as_botocore_signs_it(name: str, query: dict[str, str], data: bytes) -> None:
    auth = pytest.importorskip("botocore.auth", reason="botocore comes with selat[evals]")
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as Theirs

    digest, path = hashlib.sha256(data).hexdigest(), quote(f"/b/{name}", safe="/-_.~")
    headers = HOST | {"x-amz-content-sha256": digest}
    request = Request("PUT", path, query, headers, digest)
    url = f"https://{HOST['host']}{path}" + (f"?{request.query_text}" if query else "")
    theirs = AWSRequest("PUT", url, headers={k: v for k, v in headers.items() if k != "x-amz-date"}, data=data)
    theirs.context["timestamp"] = HOST["x-amz-date"]
    theirs.headers["x-amz-date"] = HOST["x-amz-date"]
    signer = auth.S3SigV4Auth(Theirs(KEYS.access, KEYS.secret), "s3", "my-1")
    signature = signer.signature(signer.string_to_sign(theirs, signer.canonical_request(theirs)), theirs)
    assert authorization(request, KEYS, "my-1").endswith(f"Signature={signature}")
