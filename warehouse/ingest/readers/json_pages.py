"""JSON objects that hold their records in an array, as the answers of an API do: `{"results": [{…}, {…}], "more": 0}`.

Not here: the elements of the array (`json_files`).
"""

import json
import re

from warehouse.ingest.readers.records import MAX_RECORD_BYTES, RefusedFile

_KEY = re.compile(r'"(?:[^"\\]|\\.)*"[ \t\r\n]*:[ \t\r\n]*(?=[^ \t\r\n])', re.DOTALL)


class JsonPage:
    """The place within the object around an array of records."""

    def __init__(self, key: str, decoder: json.JSONDecoder) -> None:
        self._key = key
        self._decoder = decoder
        self.is_open = False
        """Whether an object has begun that has not ended."""
        self._has_array = False

    def step(self, text: str, at: int, *, is_end: bool) -> tuple[int | None, bool]:
        """Reads one part of the object at this position, outside the array.

        Returns:
            The position after the part, None if more text is needed; and whether the array begins there.

        Raises:
            RefusedFile: no object with the array is there.
        """
        first = text[at]
        if not self.is_open:
            if first != "{":
                raise RefusedFile(f"not JSON objects with an array `{self._key}` (`records` of the source's `format`)")
            self.is_open, self._has_array = True, False
            return at + 1, False
        if first == "}":
            if not self._has_array:
                raise RefusedFile(f"an object has no array `{self._key}` (`records` of the source's `format`)")
            self.is_open = False
            return at + 1, False
        if first == ",":
            return at + 1, False
        match = _KEY.match(text, at)
        try:
            if match and self._decoder.raw_decode(match.group())[0] == self._key and text[match.end()] == "[":
                if self._has_array:
                    raise RefusedFile(f"an object has the array `{self._key}` twice")
                self._has_array = True
                return match.end() + 1, True
            if match:
                _, end = self._decoder.raw_decode(text, match.end())
                if end < len(text):
                    return end, False
        except (ValueError, RecursionError):
            pass
        if is_end or len(text) - at > MAX_RECORD_BYTES:
            raise RefusedFile(
                f"what is around the array `{self._key}` is not JSON, or a value in it is longer than 1 MiB"
            )
        return None, False
