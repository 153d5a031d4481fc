"""JSON files: one object per line, with the columns as keys, in UTF-8.

Not here: the values of an object (`json_objects`), the rules for them (`models.logs`).
"""

import json

from models.rejections import HAS_NUL, NOT_UTF8, TOO_LONG
from warehouse.ingest.readers.json_objects import JsonBatch, JsonObject, decoder_for, is_encodable
from warehouse.ingest.readers.lines import WHITE_SPACE, LineReader
from warehouse.ingest.readers.records import MAX_RECORD_BYTES, FileFormat, Layout, Records, as_text

NOT_AN_OBJECT = "line: is not a JSON object"


class JsonReader(LineReader):
    """Reads JSON."""

    def __init__(self, layout: Layout, file_format: FileFormat) -> None:
        super().__init__(layout, file_format)
        self._decoder = decoder_for(layout)

    def records_of(self, data: bytes, *, is_last: bool) -> tuple[Records, bytes]:
        """The records of complete lines; no bytes are left over."""
        batch = JsonBatch(self.layout, self.records_read + 1)
        lines: list[bytes] = []
        for line in data.removesuffix(b"\n").split(b"\n"):
            self.lines_read += 1
            if not line.strip(WHITE_SPACE):
                continue
            pairs, reason = _parsed(line, self._decoder)
            if pairs is None:
                batch.add_broken(reason, as_text(line[:MAX_RECORD_BYTES].removesuffix(b"\r")))
            else:
                lines.append(line)
                batch.add(pairs)
        self.records_read += batch.count
        return batch.records(
            # Only the lines are kept until their rows are validated.
            lambda indices: [as_text(lines[index].removesuffix(b"\r")) for index in indices],
            2 * len(data),
        ), b""


def _parsed(line: bytes, decoder: json.JSONDecoder) -> tuple[JsonObject | None, str]:
    """The object on a line, or None and the reason."""
    if len(line.removesuffix(b"\r")) > MAX_RECORD_BYTES:
        return None, TOO_LONG
    if b"\0" in line:
        return None, HAS_NUL
    try:
        text = line.decode("utf-8").strip(" \t\r")
    except UnicodeDecodeError:
        return None, NOT_UTF8
    try:
        value, end = decoder.raw_decode(text)
    except (ValueError, RecursionError):
        return None, NOT_AN_OBJECT
    if not isinstance(value, JsonObject) or end != len(text):
        return None, NOT_AN_OBJECT
    if "\\u" in text and not is_encodable(value):
        return None, NOT_UTF8
    return value, ""
