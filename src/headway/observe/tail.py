"""New whole lines of a file that grows, also when it is cut or another one takes its place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from headway.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK_BYTES: Final = 32 << 20
_MARK_BYTES: Final = 256  # read again to see that the file is still the one that was read


@dataclass(frozen=True, slots=True)
class Fresh:
    """Whole lines, each ended by a newline; line: the number of the first, from 1.

    is_new: they are the first of a file that began anew.
    """

    line: int
    data: bytes
    is_new: bool


class Tail:
    """A file read on and on. One that was cut or replaced is read anew, from its first line."""

    def __init__(self, path: Path) -> None:
        """InputError where there is no such file, or it cannot be followed."""
        self.path = path
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a file of series inside it")
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a regular file; save the stream to a file first")
        self._file = self._opened()
        if self._file is None:
            raise InputError(f"{path} cannot be opened: No such file or directory")
        self._begin()

    def read(self, *, is_last: bool = False) -> Iterator[Fresh]:
        """What came since, a block at a time; is_last: a line that is not ended counts as whole.

        Where the file was replaced: first what was still written to the old one.
        """
        if self._was_cut():
            self._begin()
        replaced = self._replacement()
        yield from self._blocks(is_last or replaced is not None)
        if replaced is not None:
            self.close()
            self._file = replaced
            self._begin()
            yield from self._blocks(is_last)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        self._at, self._line, self._part, self._mark, self._is_new = 0, 1, b"", b"", True

    def _opened(self) -> IO[bytes] | None:
        """The file of this name; None while there is none."""
        try:
            return self.path.open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"{self.path} cannot be opened: {error.strerror}") from error

    def _replacement(self) -> IO[bytes] | None:
        """The file that has this name now, if it is not the one that is open."""
        assert self._file is not None  # it was opened at the beginning
        other = self._opened()
        if other is None:
            return None
        if os.path.sameopenfile(self._file.fileno(), other.fileno()):
            other.close()
            return None
        return other

    def _was_cut(self) -> bool:
        """Whether the open file no longer holds what was read last where it was read."""
        assert self._file is not None  # it was opened at the beginning
        self._file.seek(self._at - len(self._mark))
        return self._file.read(len(self._mark)) != self._mark

    def _blocks(self, is_last: bool) -> Iterator[Fresh]:
        """Whole lines up to the end of the open file."""
        assert self._file is not None  # it was opened at the beginning
        self._file.seek(self._at)
        is_end = False
        while not is_end:
            came = self._file.read(_BLOCK_BYTES)
            is_end = len(came) < _BLOCK_BYTES
            self._at += len(came)
            self._mark = (self._mark + came)[-_MARK_BYTES:]
            data = self._part + came
            end = len(data) if is_last and is_end else data.rfind(b"\n") + 1
            whole, self._part = data[:end], data[end:]
            if len(self._part) > _BLOCK_BYTES:
                raise InputError(f"{self.path} has a line of more than {_BLOCK_BYTES:,} bytes")
            if whole:
                whole += b"" if whole.endswith(b"\n") else b"\n"
                fresh = Fresh(self._line, whole, self._is_new)
                self._line, self._is_new = self._line + whole.count(b"\n"), False
                yield fresh
