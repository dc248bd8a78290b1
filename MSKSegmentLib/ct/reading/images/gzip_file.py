"""The bytes of a gzip file, unpacked by ISA-L in one go, whatever follows them."""

from __future__ import annotations

import io
import os
from typing import Any, BinaryIO

from isal import igzip_lib

MAGIC = b"\x1f\x8b"
# What a damaged file raises.
DAMAGE = (EOFError, igzip_lib.error)
_PACKED_BYTES = 1 << 18
# More at a time would leave the processor's cache before it is copied.
_UNPACKED_BYTES = 1 << 21


class GzipMembers(io.RawIOBase):
    """What the members of a gzip file unpack to, one after the other; the file must begin with one.

    Zeros may follow a member. Anything else that is no member ends the stream; `behind` is its number of bytes then. The readers of
    ISA-L and of Python take it for damage, and lose what they unpacked last before it.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._member, self._packed = _new_member(), b""
        self.behind = 0
        self._over = False

    def readable(self) -> bool:
        """As the class above wants it."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Put the next bytes into `buffer`, a buffer of bytes, not always as many as it takes; returns their number, 0 at the end.

        Raises:
            EOFError, igzip_lib.error: the file is cut short, or damaged, up to a checksum at the end of a member.
            OSError: it cannot be read.
        """
        target = memoryview(buffer).cast("B")
        while target and not self._over:
            data = self._next(min(len(target), _UNPACKED_BYTES))
            if data:
                target[: len(data)] = data
                return len(data)
        return 0

    def _next(self, most: int) -> bytes:
        """At most so many bytes; none where a member has ended, or needs more of the file."""
        if self._member.eof:
            self._begin_another()
            return b""
        if self._member.needs_input and not self._packed:
            self._packed = self._file.read(_PACKED_BYTES)
            if not self._packed:
                raise EOFError("the file ends before its last member does")
        packed, self._packed = self._packed, b""
        return bytes(self._member.decompress(packed, most))

    def _begin_another(self) -> None:
        rest = self._member.unused_data.lstrip(b"\0")
        while len(rest) < len(MAGIC) and (more := self._file.read(_PACKED_BYTES)):
            rest = (rest + more).lstrip(b"\0")
        if rest.startswith(MAGIC):
            self._member, self._packed = _new_member(), rest
        else:
            self._over = True
            self.behind = len(rest) + os.fstat(self._file.fileno()).st_size - self._file.tell()


def _new_member() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
