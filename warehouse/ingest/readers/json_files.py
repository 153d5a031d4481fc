"""JSON files: objects one after another, or one array of objects, in UTF-8, with the columns as keys.

Objects may stand several on a line or over several lines. Almost all files have one on each line: these lines are decoded one by
one. What is no object on one line is read by position, as is everything after it in the same block. Where no valid object
starts, the rest of that line is a broken record.

Not here: the values of an object (`json_objects`), the rules for them (`models.logs`).
"""

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from models.rejections import HAS_NUL, NOT_UTF8, TOO_LONG
from warehouse.ingest.readers import content
from warehouse.ingest.readers.json_objects import JsonBatch, JsonObject, decoder_for, is_encodable
from warehouse.ingest.readers.json_pages import JsonPage
from warehouse.ingest.readers.lines import OVERLONG_HEAD_BYTES, WHITE_SPACE
from warehouse.ingest.readers.records import (
    MAX_RECORD_BYTES,
    FileFormat,
    Layout,
    ReconciliationError,
    Records,
    RefusedFile,
    as_text,
)

NOT_AN_OBJECT = "line: is not a JSON object"

_PIECE_BYTES = 4 << 20
"""So much is decoded at a time where records are read by their position."""

_FAILURES_IN_WINDOW = 100
_ATTEMPTS = (4 << 10, 64 << 10, 2 * MAX_RECORD_BYTES)
"""After these failures, a value is looked for in so many characters first: an error takes as long as the text before it."""
_LONGEST_TOKEN = 16
"""Of a number or word that the end of the text may have cut."""
_IN_VAIN, _IN_VAIN_PER_BYTE = 16 << 20, 16
"""A file may make the reader decode so many characters of objects that fail: nested ones fail again and again."""

_ENDING_BYTES = 64
"""Of the file, to see if it ends as JSON does."""

_BLANKS = re.compile(r"[ \t\r\n]*")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")

Batches = Generator[Records, None, bytes]
"""Batches of records, and at the end the bytes that are left over."""


class JsonReader:
    """Reads JSON."""

    def __init__(self, layout: Layout, file_format: FileFormat) -> None:
        self.layout = layout
        self.file_format = file_format
        self.records_read = 0
        self._decoder = decoder_for(layout)
        self._page = JsonPage(file_format.records, self._decoder) if file_format.records else None
        self._has_begun = False
        self._in_array = False
        self._may_have_comma = False
        """Whether a comma may come next in the array."""
        self._may_decode_in_vain = _IN_VAIN
        self._failures = 0
        self._skips_line = False
        """Whether the next bytes are the rest of a line that is broken."""
        self._last_broken_line = 0
        """The number of the last record that is the rest of a line."""

    def read(self, path: Path) -> Iterator[Records]:
        """The records of a file. ReconciliationError if not every byte was accounted for, RefusedFile if the file is damaged."""
        in_file = accounted_for = 0
        rest = ending = b""
        for chunk in content.read_chunks(path, self.file_format):
            in_file += len(chunk)
            ending = (ending + chunk[-_ENDING_BYTES:])[-_ENDING_BYTES:]
            self._may_decode_in_vain += _IN_VAIN_PER_BYTE * len(chunk)
            data = rest + chunk
            rest = yield from self._records_of(data, is_last=False)
            accounted_for += len(data) - len(rest)
        left = yield from self._records_of(rest, is_last=True)
        accounted_for += len(rest) - len(left)
        if in_file != accounted_for:
            raise ReconciliationError(f"{in_file} bytes in the file, {accounted_for} accounted for")
        if self._in_array:
            # A broken line is not read, not even the end of the array in it.
            is_last_broken = self._last_broken_line == self.records_read > 0
            if is_last_broken and ending.rstrip().endswith(b"}" if self._page else b"]"):
                raise RefusedFile(
                    f"record {self.records_read} of the array is not valid JSON, so that the rest of its line cannot be read,"
                    " with the end of the array; correct the record (JSON has no NaN), or write each record on a line of its own"
                )
            raise RefusedFile("truncated: the array of the records is not closed by `]`")
        if self._page and self._page.is_open:
            raise RefusedFile("truncated: the object around the records is not closed by `}`")

    def _records_of(self, data: bytes, *, is_last: bool) -> Batches:
        if not self._has_begun:
            data = data.lstrip(WHITE_SPACE)
            self._has_begun = bool(data)
            self._in_array = data.startswith(b"[") and not self._page
            data = data[self._in_array :]
        taken = 0
        if not self._in_array and not self._skips_line and not self._page:
            end = len(data) if is_last else data.rfind(b"\n") + 1
            batch, taken = self._records_on_lines(data[:end])
            if batch.count:
                yield batch
            del batch
            if taken == end and len(data) - end <= MAX_RECORD_BYTES:
                return data[end:]
        rest = b""
        for start in range(taken, len(data), _PIECE_BYTES):
            end = start + _PIECE_BYTES
            rest = yield from self._records_by_position(rest + data[start:end], is_last and end >= len(data))
        return rest

    def _records_on_lines(self, data: bytes) -> tuple[Records, int]:
        """The objects on the first lines, as far as each is alone on its line; and the number of bytes of these lines."""
        batch = JsonBatch(self.layout, self.records_read + 1)
        lines: list[bytes] = []
        taken = 0
        for line in data.split(b"\n"):
            pairs = self._object_on(line)
            if pairs is not None:
                lines.append(line)
                batch.add(pairs)
            elif line.strip(WHITE_SPACE):
                break
            taken += len(line) + 1
        taken = min(taken, len(data))
        self.records_read += batch.count
        # Only the lines are kept until their rows are validated.
        return batch.records(
            lambda indices: [as_text(lines[index].strip(b" \t\r")) for index in indices], 2 * taken
        ), taken

    def _object_on(self, line: bytes) -> JsonObject | None:
        if len(line) > MAX_RECORD_BYTES:
            return None
        try:
            text = line.decode("utf-8").strip(" \t\r")
            value: Any
            value, end = self._decoder.raw_decode(text)
        except (ValueError, RecursionError):
            return None
        if value.__class__ is not JsonObject or end != len(text) or ("\\u" in text and not is_encodable(value)):
            return None
        return value  # type: ignore[no-any-return]  # its class was compared, which mypy does not follow

    def _records_by_position(self, data: bytes, is_last: bool) -> Batches:
        if self._skips_line:
            end = data.find(b"\n") + 1
            self._skips_line = not end
            data = data[end or len(data) :]
        text, left_over = _decoded(data, is_last)
        at = 0
        while True:
            batch = JsonBatch(self.layout, self.records_read + 1)
            spans: list[tuple[int, int]] = []
            start, at = at, self._fill(batch, spans, text, at, is_last)
            if not batch.count:
                return text[at:].encode("utf-8", "surrogateescape") + left_over
            self.records_read += batch.count
            yield batch.records(_texts_at(text, spans), 2 * (at - start))

    def _fill(self, batch: JsonBatch, spans: list[tuple[int, int]], text: str, at: int, is_last: bool) -> int:
        """Adds records from this position on; returns the position after them. None is added if more text is needed."""
        # A record is decoded within a window, so that one that is too long costs no more than that.
        start, window = at, text[at : at + 2 * MAX_RECORD_BYTES]
        has_bad_bytes = _ESCAPED_BYTE.search(window) is not None
        while batch.count < content.BLOCK_LINES:
            at = _BLANKS.match(text, at).end()  # type: ignore[union-attr]  # it matches everywhere
            if at - start > MAX_RECORD_BYTES and start + len(window) < len(text):
                start, window = at, text[at : at + 2 * MAX_RECORD_BYTES]
                has_bad_bytes = _ESCAPED_BYTE.search(window) is not None
            if at == len(text):
                break
            first, begin = window[at - start], at - start
            if self._page and not self._in_array:
                is_end = is_last and start + len(window) == len(text)
                position, self._in_array = self._page.step(window, begin, is_end=is_end)
                if position is None:
                    break
                at = start + position
                continue
            if self._in_array and (first == "]" or (first == "," and self._may_have_comma)):
                self._in_array = first != "]"
                self._may_have_comma = False
                at += 1
                continue
            value: Any = None
            end, reason = begin, NOT_AN_OBJECT
            if first == "{" or self._in_array:
                value, end, failed_at = self._decode(window, begin)
                if end > begin:
                    reason = self._fault(value, window, begin, end, has_bad_bytes)
                elif failed_at - begin > MAX_RECORD_BYTES:
                    reason = TOO_LONG
            has_next = end < len(window) or (is_last and start + len(window) == len(text))
            if end > begin and not reason:
                batch.add(value)
                spans.append((at, start + end))
            elif self._in_array and reason == NOT_AN_OBJECT and end > begin and has_next:
                batch.add_broken(reason, window[begin:end])
            elif len(window) - begin > MAX_RECORD_BYTES or (is_last and start + len(window) == len(text)):
                at = self._add_broken_line(batch, text, at, reason, is_last)
                self._may_have_comma = True
                continue
            else:
                break
            at = start + end
            self._may_have_comma = True
        return at

    def _decode(self, window: str, begin: int) -> tuple[Any, int, int]:
        """The value at this position with the position after it, which is `begin` if there is none; and where decoding failed.

        Of a value that fails, no more is decoded than needed to see that: the next line may begin another one within it.
        """
        failed_at = begin
        if self._failures < _FAILURES_IN_WINDOW:
            try:
                value, end = self._decoder.raw_decode(window, begin)
            except (ValueError, RecursionError):
                self._failures += 1
            else:
                return value, end, begin
        for size in _ATTEMPTS:
            piece = window[begin : begin + size]
            has_all = begin + size >= len(window)
            try:
                value, end = self._decoder.raw_decode(piece)
                if end < len(piece) or has_all:
                    return value, begin + end, begin
                continue  # a number that may go on
            except ValueError as error:
                position: int = getattr(error, "pos", 0)
                may_go_on = position > len(piece) - _LONGEST_TOKEN or "Unterminated" in str(error)
            except RecursionError:
                position, may_go_on = len(piece), False
            failed_at = begin + position
            self._may_decode_in_vain -= position
            if self._may_decode_in_vain < 0:
                raise RefusedFile(
                    "not JSON objects one after another: too many objects are not closed; export it again"
                )
            if not may_go_on:
                break
        return None, begin, failed_at

    def _fault(self, value: object, window: str, begin: int, end: int, has_bad_bytes: bool) -> str:
        """Why a decoded value is no record; empty if it is one."""
        if end - begin > MAX_RECORD_BYTES or (
            not window.isascii()
            and 4 * (end - begin) > MAX_RECORD_BYTES
            and _size(window[begin:end]) > MAX_RECORD_BYTES
        ):
            return TOO_LONG
        if has_bad_bytes and _ESCAPED_BYTE.search(window, begin, end):
            return NOT_UTF8
        if value.__class__ is not JsonObject:
            return NOT_AN_OBJECT
        return NOT_UTF8 if window.find("\\u", begin, end) >= 0 and not is_encodable(value) else ""

    def _add_broken_line(self, batch: JsonBatch, text: str, at: int, reason: str, is_last: bool) -> int:
        """Adds the rest of a line as a broken record, unless it is blank; returns the position of the next line."""
        end = text.find("\n", at)
        if end < 0:
            end = len(text)
            self._skips_line = not is_last
        line = text[at : min(end, at + 2 * MAX_RECORD_BYTES)].removesuffix("\r")
        if line.strip(WHITE_SPACE.decode()):
            if _size(line) > MAX_RECORD_BYTES:
                reason, line = TOO_LONG, line[:OVERLONG_HEAD_BYTES]
            elif "\0" in line:
                reason = HAS_NUL
            elif _ESCAPED_BYTE.search(line):
                reason = NOT_UTF8
            batch.add_broken(reason, _unescaped(line))
            self._last_broken_line = self.records_read + batch.count
        return min(end + 1, len(text))


def _decoded(data: bytes, is_last: bool) -> tuple[str, bytes]:
    """The text, each byte that is not UTF-8 escaped as a surrogate; and the beginning of a character that goes on."""
    end = len(data)
    if not is_last:
        # Of the last three bytes, those from the first byte of a character on, if it needs more than there are.
        for size in range(1, min(3, end) + 1):
            byte = data[end - size]
            if byte >= 0xC0:
                end -= size if (byte >= 0xF0) + (byte >= 0xE0) + 2 > size else 0
                break
            if byte < 0x80:
                break
    return data[:end].decode("utf-8", "surrogateescape"), data[end:]


def _unescaped(text: str) -> str:
    return as_text(text.encode("utf-8", "surrogateescape"))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _texts_at(text: str, spans: Sequence[tuple[int, int]]) -> Callable[[Sequence[int]], list[str]]:
    def texts(indices: Sequence[int]) -> list[str]:
        return [text[slice(*spans[index])] for index in indices]

    return texts
