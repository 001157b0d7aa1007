"""ZIP containers read within limits: of members, of bytes unpacked, of the ratio between the two."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator

from lxml import etree

from selat.core.errors import DocumentUnreadable

MAX_MEMBERS = 5_000
MAX_UNPACKED_BYTES = 300_000_000
MAX_RATIO = 200  # plain text packs 10 to 20 times; a bomb, a thousand times and more
_FREE_BYTES = 10_000_000  # below this a high ratio does no harm


class Archive:
    """An opened ZIP. What is unpacked is counted as it comes: a member's stated size is not believed."""

    def __init__(self, data: bytes, kind: str) -> None:
        self._kind = kind
        self._packed = len(data)
        self._unpacked = 0
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError) as error:
            raise DocumentUnreadable(f"{kind}: the file is broken; save it anew") from error
        if len(self._zip.infolist()) > MAX_MEMBERS:
            raise DocumentUnreadable(f"{kind}: over {MAX_MEMBERS:,} files inside; unpack it and ingest the folder")

    def names(self) -> Iterator[str]:
        return (info.filename for info in self._zip.infolist() if info.filename and not info.is_dir())

    def read(self, name: str) -> bytes:
        """A member's bytes. Raises: DocumentUnreadable, for one that is encrypted, broken or a bomb."""
        pieces = []
        try:
            with self._zip.open(name) as member:
                while piece := member.read(1 << 20):
                    self._count(len(piece))
                    pieces.append(piece)
        except KeyError as error:
            raise DocumentUnreadable(f"{self._kind}: a part is missing; save the file anew") from error
        except RuntimeError as error:  # what zipfile raises for a member under a password
            raise DocumentUnreadable(f"{self._kind}: the file is encrypted; save it without a password") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
            raise DocumentUnreadable(f"{self._kind}: the file is broken; save it anew") from error
        return b"".join(pieces)

    def xml(self, name: str) -> etree._Element:
        """A member as XML, without entities or network. Raises: DocumentUnreadable."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
        data = self.read(name)
        try:
            return etree.fromstring(data, parser)
        except etree.XMLSyntaxError as error:
            if getattr(error, "code", 0) == etree.ErrorTypes.ERR_NO_MEMORY:
                raise DocumentUnreadable(
                    f"{self._kind}: a part of {len(data):,} bytes needs more memory than a document may take;"
                    " split the document"
                ) from error
            raise DocumentUnreadable(f"{self._kind}: a part is no XML; save the file anew") from error

    def _count(self, size: int) -> None:
        self._unpacked += size
        bomb = self._unpacked > max(_FREE_BYTES, MAX_RATIO * self._packed)
        if bomb or self._unpacked > MAX_UNPACKED_BYTES:
            raise DocumentUnreadable(
                f"{self._kind}: it unpacks to more than a document may hold; refused as a bomb"
            )
