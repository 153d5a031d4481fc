"""CSV files: double quotes, a header line, a comma or another delimiter.

A record is the shortest run of lines that parses strictly to the header's number of fields; a line where no record starts is
a broken one. The fast parser gets a block unchanged if each of its lines is a record without quotes, which its commas and line
ends show. In any other block, each line that is no record by itself is parsed alone, and the fast parser gets the other lines.

Not here: the rules for values (`models.logs`).
"""

import io
import re
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
import polars as pl

from models.rejections import HAS_NUL, NOT_UTF8, TOO_LONG
from warehouse.ingest.readers.content import BYTE_ORDER_MARK
from warehouse.ingest.readers.lines import (
    NO_NUMBERS,
    WHITE_SPACE,
    LineReader,
    OverlongLine,
    no_raw_rows,
)
from warehouse.ingest.readers.records import (
    MAX_COLUMNS,
    MAX_RECORD_BYTES,
    MAX_RECORD_LINES,
    MAX_UNKNOWN_COLUMNS,
    BrokenRecord,
    FileFormat,
    Layout,
    ReconciliationError,
    Records,
    RefusedFile,
    as_text,
    is_utf8,
    names_shown,
)

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
_LONE_CR = re.compile(r"\r(?!\n)")


def parse_record(lines: Sequence[str], delimiter: str = ",") -> tuple[list[str] | None, int, str]:
    """Parses strictly the record that starts at the first of these lines.

    Returns:
        The fields, None if no record starts there; the number of lines of the record; and the reason why it is none, empty if
        the lines end within a quoted field, so that further lines might close it.
    """
    fields: list[str] = []
    field, in_quotes, size = "", False, 0
    for span in range(1, MAX_RECORD_LINES + 1):
        if span > len(lines):
            return None, span - 1, ""
        line = lines[span - 1]
        # Line ends within a record belong to it; that of its last line does not.
        if size + _size(line) > MAX_RECORD_BYTES or "\0" in line:
            break
        size += len(line.encode()) + len("\n")
        at = 0
        while True:
            if not in_quotes:
                if not line.startswith('"', at):
                    end = line.find(delimiter, at)
                    value = line[at:] if end < 0 else line[at:end]
                    if '"' in value:
                        return None, 1, "line: has a quote within an unquoted field"
                    fields.append(value)
                    if end < 0:
                        return fields, span, ""
                    at = end + 1
                    continue
                in_quotes, at = True, at + 1
            end = line.find('"', at)
            if end < 0:
                field += line[at:] + "\n"
                break
            field += line[at:end]
            if line.startswith('"', end + 1):
                field, at = field + '"', end + 2
                continue
            fields.append(field)
            field, in_quotes, at = "", False, end + 2
            if line[end + 1 :] in ("", "\r"):
                return fields, span, ""
            if line[end + 1] != delimiter:
                return None, 1, "line: has text after a closing quote"
    return None, 1, "line: has an unclosed quote"


class CsvReader(LineReader):
    """Reads CSV."""

    def __init__(self, layout: Layout, file_format: FileFormat) -> None:
        super().__init__(layout, file_format)
        self._delimiter = file_format.delimiter
        self._no_separators = bytes(set(range(256)) - set(self._delimiter.encode() + b"\n"))
        self.blanks = WHITE_SPACE + self._delimiter.encode()
        self._blank_line = re.compile(rb"\n[%b]*(?=\n)" % re.escape(self.blanks.replace(b"\n", b"")))
        delimiter = re.escape(self._delimiter.encode())
        # A spreadsheet that saves the file again may quote the line, or add a delimiter for each further column.
        self._separator_line = re.compile(rb'sep=%b+|"sep=%b"%b*' % (delimiter, delimiter, delimiter))
        self.header: list[str] = []
        """The columns of the header; empty until it is read."""
        self._unknown: frozenset[str] = frozenset()
        self._nameless: list[int] = []
        """Columns without a name. No cell of them has had a value so far."""
        self._filled_nameless: list[int] = []
        self._columns = layout.columns_with(())

    def records_of(self, data: bytes, *, is_last: bool) -> tuple[Records, bytes]:
        if not self.header:
            after_header = self._read_header(data, is_last)
            carried, data = (data, b"") if after_header is None else (b"", data[after_header:])
            if not data:
                return self._batch(b"", NO_NUMBERS, no_raw_rows), carried
        count = self._count_plain_records(data)
        if count:
            numbers = _numbers_from(self.records_read + 1, count)
            batch = self._batch(data, numbers, lambda indices: _lines_at(data, indices))
            if _has_no_blank_row(batch.text) or not self._has_blank_line(data):
                self.records_read += count
                self.lines_read += count
                return batch, b""
        lines, not_utf8 = _lines_of(data)
        is_blank = lines.str.strip_chars(self.blanks.decode()).str.len_bytes().eq(0)
        if b'"' not in data and is_blank.any():  # no record goes on over a blank line
            self.lines_read += int(is_blank.sum())
            kept = (~is_blank).arg_true()
            not_utf8 = set(kept.is_in(list(not_utf8)).arg_true()) if not_utf8 else not_utf8
            lines, is_blank = lines.gather(kept), is_blank.gather(kept)
        is_record = ~is_blank & self._is_record(
            lines, may_hold_quotes=b'"' in data, may_hold_nul=bool(not_utf8) or b"\0" in data
        )
        return self._resolve(lines, is_record, not_utf8, is_last)

    def overlong_line(self, line: OverlongLine) -> Records:
        if not self.header and not line.is_blank:
            raise RefusedFile("the header line is longer than 1 MiB")
        return super().overlong_line(line)

    def _read_header(self, data: bytes, is_last: bool) -> int | None:
        """Reads the header; returns the offset of the line after it, or None if it continues beyond these lines."""
        lines = io.BytesIO(data)
        first = lines.readline()
        if self.lines_read or not self._separator_line.fullmatch(first.rstrip(WHITE_SPACE)):
            lines.seek(0)
        first = next((line for line in lines if line.strip(self.blanks)), b"")
        start = lines.tell() - len(first)
        if not first:
            self.lines_read += _count_lines(data)
            return start
        head = [first, *islice(lines, MAX_RECORD_LINES - 1)]
        run = [_decoded(line.removesuffix(b"\n"))[0] for line in head]
        if _size(run[0]) > MAX_RECORD_BYTES:
            raise RefusedFile("the header line is longer than 1 MiB")
        if "\0" in run[0]:
            raise RefusedFile("the header is not UTF-8 text without NULs; CSV must be UTF-8, not UTF-16 or Latin-1")
        fields, span, reason = parse_record(run, self._delimiter)
        if fields is None and not reason and not is_last:
            return None
        if fields is None:
            for separator in _SEPARATORS:
                names, *_ = parse_record(run, separator)
                if separator != self._delimiter and names and len(names) > 1:
                    raise self._other_delimiter(separator, names)
            raise RefusedFile(f"the header cannot be read: {reason or 'line: has an unclosed quote'}")
        self.header = [name.strip(WHITE_SPACE.decode()) for name in fields]
        # If lines ended with CR only, the whole file would be one header line, and its rows would be lost silently.
        if any(_LONE_CR.search(name) for name in self.header):
            raise RefusedFile("the header holds a CR without LF; lines must end with LF or CRLF")
        self._check_columns()
        delimiter = rf"\x{ord(self._delimiter):02x}"
        field = rf'(?:"(?:[^"]|"")*"|[^"{delimiter}]*)'
        self._strict_record = rf"^{field}(?:{delimiter}{field}){{{len(fields) - 1}}}\r?$"
        start += sum(len(line) for line in head[:span])
        self.lines_read += _count_lines(data[:start])
        return start

    def _check_columns(self) -> None:
        """RefusedFile if the columns of the header are not those of the layout; their cells judge those without a name."""
        names = [name for name in self.header if name]
        if len(self.header) == 1 and not set(names) <= set(self.layout.columns):
            for separator in _SEPARATORS:
                if separator in names[0] and separator != self._delimiter:
                    raise self._other_delimiter(separator, names[0].split(separator))
        self._nameless = [index for index, name in enumerate(self.header) if not name]
        nameless = [f"column {index + 1} (without a name)" for index in self._nameless[:MAX_UNKNOWN_COLUMNS]]
        self._unknown = frozenset([*self.layout.check([*names, *nameless[:1]]), *nameless])
        self._columns = self.layout.columns_with(names)

    def _other_delimiter(self, separator: str, names: list[str]) -> RefusedFile:
        shown = names_shown(names[:2], separator).replace("\t", "\\t")
        found = f"one column found, `{shown}…`" if shown else "one column found"
        place = "the `format` of the source" if self.layout.nested_as_json else "a source"
        return RefusedFile(f"{found}: separated by {_SEPARATORS[separator]}? set `delimiter` in {place}")

    def _judge_nameless(self, frame: pl.DataFrame) -> None:
        """RefusedFile if a second column without a name has a value: the two would be one column twice."""
        for index in list(self._nameless):
            values = frame[f"field {index}"].str.strip_chars(WHITE_SPACE.decode())
            if (values.str.len_bytes() > 0).any():
                self._nameless.remove(index)
                self._filled_nameless.append(index + 1)
        if len(self._filled_nameless) > 1:
            first, second, *_ = self._filled_nameless
            raise RefusedFile(f"column twice: columns {first} and {second} have values but no name; name them")

    def _count_plain_records(self, data: bytes) -> int:
        """The number of lines, if each is a record without quotes, or blank with as many fields; else 0."""
        if b'"' in data or b"\0" in data or not data.endswith(b"\n") or not is_utf8(data):
            return 0
        if len(self.header) == 1 and self._has_blank_line(data):
            return 0  # the parser skips it
        # A line that is too long would fill one of these windows.
        window = MAX_RECORD_BYTES // 2
        if any(data.find(b"\n", start, start + window) < 0 for start in range(0, len(data), window)):
            return 0
        separators = data.translate(None, self._no_separators)
        record = self._delimiter.encode() * (len(self.header) - 1) + b"\n"
        count = len(separators) // len(record)
        return count if separators == record * count else 0

    def _has_blank_line(self, data: bytes) -> bool:
        """Whether a complete line has nothing but white space and delimiters."""
        return bool(self._blank_line.search(data)) or not data[: data.index(b"\n")].strip(self.blanks)

    def _is_record(self, lines: pl.Series, *, may_hold_quotes: bool, may_hold_nul: bool) -> pl.Series:
        """Which lines are a complete record by themselves."""
        if may_hold_quotes and len(self.header) <= MAX_COLUMNS:
            is_record = lines.str.contains(self._strict_record)
        else:
            # Of so many columns, the pattern would be too large: lines with a quote are parsed one by one.
            is_record = lines.str.count_matches(self._delimiter, literal=True).eq(len(self.header) - 1)
            is_record = is_record & ~lines.str.contains('"', literal=True)
        if may_hold_nul:
            is_record = is_record & ~lines.str.contains("\0", literal=True)
        if (lines.str.len_bytes() > MAX_RECORD_BYTES).any():
            is_record = is_record & (lines.str.strip_suffix("\r").str.len_bytes() <= MAX_RECORD_BYTES)
        return is_record

    def _resolve(
        self, lines: pl.Series, is_record: pl.Series, not_utf8: set[int], is_last: bool
    ) -> tuple[Records, bytes]:
        """The records of a block in which some lines are no record by themselves. These lines are parsed one by one."""
        runs: list[pl.Series] = []
        row_numbers: list[pl.Series] = []
        broken: list[BrokenRecord] = []
        at, carried = 0, b""

        def add_records_up_to(end: int) -> None:
            nonlocal at
            if end > at:
                runs.append(lines.slice(at, end - at))
                row_numbers.append(_numbers_from(self.records_read + 1, end - at))
                self.records_read += end - at
                self.lines_read += end - at
                at = end

        for odd in (~is_record).arg_true().to_list():
            if odd < at:
                continue  # within a record that began on an earlier line
            add_records_up_to(odd)
            line, span = lines[odd], 1
            if line.strip(self.blanks.decode()):
                # A record of several lines has a quote in the first one.
                run = lines.slice(odd, MAX_RECORD_LINES).to_list() if '"' in line else [line]
                fields, span, reason = parse_record(run, self._delimiter)
                if fields is None and not reason and not is_last:
                    carried = "\n".join(run).encode() + b"\n"
                    break
                self.records_read += 1
                if fields is not None and len(fields) == len(self.header):
                    runs.append(pl.Series(["\n".join(run[:span])]))
                    row_numbers.append(_numbers_from(self.records_read, 1))
                else:
                    span = 1
                    rule = self._broken_rule(line, odd in not_utf8, fields, reason)
                    raw = line[odd in not_utf8 :].removesuffix("\r")
                    broken.append(BrokenRecord.of(self.records_read, rule, raw))
            self.lines_read += span
            at = odd + span
        else:
            add_records_up_to(len(lines))
        records = pl.concat(runs) if runs else pl.Series([], dtype=pl.String)
        batch = self._batch(
            records.str.join("\n").item().encode(),
            pl.concat(row_numbers) if row_numbers else NO_NUMBERS,
            lambda indices: [record.removesuffix("\r") for record in records.gather(list(indices))],
            broken,
        )
        return batch, carried

    def _broken_rule(self, line: str, is_not_utf8: bool, fields: list[str] | None, reason: str) -> str:
        if is_not_utf8:
            return NOT_UTF8
        if "\0" in line:
            return HAS_NUL
        if _size(line) > MAX_RECORD_BYTES:
            return TOO_LONG
        if fields is None:
            return reason or "line: has an unclosed quote"
        return f"line: has {len(fields)} fields, the header {len(self.header)}"

    def _batch(
        self,
        data: bytes,
        numbers: pl.Series,
        raw: Callable[[Sequence[int]], list[str]],
        broken: Sequence[BrokenRecord] = (),
    ) -> Records:
        """Well-formed records with their numbers, and broken ones."""
        return Records(
            text=self._parse(data, len(numbers)),
            row_numbers=numbers,
            raw=raw,
            count=len(numbers) + len(broken),
            broken=list(broken),
            unknown_columns=self._unknown,
            header=self.header,
            present=frozenset(self._columns).intersection(self.header) if self.layout.nested_as_json else frozenset(),
        )

    def _parse(self, data: bytes, count: int) -> pl.DataFrame:
        """Parses well-formed records, whose number is known."""
        if not count:
            return pl.DataFrame(schema=dict.fromkeys(self._columns, pl.String))
        known = [index for index, name in enumerate(self.header) if name in self._columns or index in self._nameless]
        if not known:  # the parser gives no rows where it is asked for no column
            return pl.DataFrame({name: pl.Series([None] * count, dtype=pl.String) for name in self._columns})
        frame = pl.read_csv(
            # The parser strips a byte-order mark, so it gets one to strip, and not the beginning of a value.
            io.BytesIO(BYTE_ORDER_MARK + data if data.startswith(BYTE_ORDER_MARK) else data),
            has_header=False,
            new_columns=[f"field {index}" for index in range(len(self.header))],
            columns=known,
            separator=self._delimiter,
            infer_schema=False,
            quote_char='"',
        )
        if frame.height != count:
            raise ReconciliationError(f"{count} CSV records given to the parser, {frame.height} came back")
        self._judge_nameless(frame)
        frame.columns = [self.header[index] or f"nameless {index}" for index in known]
        absent = [pl.lit(None, pl.String).alias(name) for name in self._columns if name not in self.header]
        return frame.with_columns(absent).select(self._columns)


def _has_no_blank_row(text: pl.DataFrame) -> bool:
    """Whether a column shows that no row is blank, without a search in the lines: white space sorts before all else."""
    return any(not column.null_count() and str(column.min()) >= "!" for column in text)


def _lines_of(data: bytes) -> tuple[pl.Series, set[int]]:
    """Lines as text, and the indices of those that are not UTF-8."""
    data = data.removesuffix(b"\n")
    if is_utf8(data):
        return pl.Series([data.decode()]).str.split("\n").explode(), set()
    lines = [_decoded(line) for line in data.split(b"\n")]
    not_utf8 = {index for index, (_, is_utf8) in enumerate(lines) if not is_utf8}
    return pl.Series([text for text, _ in lines], dtype=pl.String), not_utf8


def _lines_at(data: bytes, indices: Sequence[int]) -> list[str]:
    """The lines with these indices, of data that is UTF-8 and ends with a line end."""
    if not indices:
        return []
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    starts = [ends[index - 1] + 1 if index else 0 for index in indices]
    return [data[start : ends[index]].decode().removesuffix("\r") for start, index in zip(starts, indices, strict=True)]


def _decoded(line: bytes) -> tuple[str, bool]:
    """A line as text, and whether it is UTF-8; if not, it gets a leading NUL, which no record may hold."""
    try:
        return line.decode(), True
    except UnicodeDecodeError:
        return "\0" + as_text(line), False


def _count_lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n"))


def _size(line: str) -> int:
    """The size of a line in bytes, without its line end."""
    return len(line.removesuffix("\r").encode())


def _numbers_from(first: int, length: int) -> pl.Series:
    return pl.int_range(first, first + length, dtype=pl.Int64, eager=True)
