"""The format of a mapping file. It names the files of an export, the logs that they feed, and an SQL expression for each column.

Not here: the check and the evaluation of the expressions, and reading mapping files (`warehouse.ingest.sources`).
"""

import re
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from models.enums import Log
from models.logs import COLUMNS

COMPRESSED = ("gz", "zst", "zstd")
"""Extensions of compression: a file with or without one belongs to the same pattern, since its first bytes tell."""
_DATE = "{date}"
_SUFFIX = re.compile(rf"\.(?:{'|'.join(COMPRESSED)})$", re.IGNORECASE)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

FILE_DATE, FILE_PATH = "file_date", "file_path"
"""Fields that every record has: the log date of its file (YYYY-MM-DD), and the path below the landing zone."""

SqlExpression = Annotated[str, Field(min_length=1, max_length=4_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RawFormat(_Strict):
    """How the raw files of a source are read."""

    type: Literal["csv", "json", "parquet"]
    """Format of the files, whatever their extension."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """CSV: the character between two fields, such as `;` or a tab."""
    encoding: str = "utf-8"
    """CSV and JSON: the encoding, such as `utf-16` or `cp1252`."""
    decimal_comma: bool = False
    """CSV: a field that is a number with a decimal comma, such as `0,075` or `1.234,50`, is read with a decimal point."""
    records: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """JSON: the key of an array of records in each object. Default: each object is a record."""

    @field_validator("delimiter")
    @classmethod
    def _delimiter(cls, delimiter: str) -> str:
        if delimiter in '"\r\n' or delimiter.isalnum() or not delimiter.isascii():
            raise ValueError("must be one ASCII character, and no letter, digit, quote or line end")
        return delimiter

    @field_validator("encoding")
    @classmethod
    def _encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError as error:
            raise ValueError("is no encoding that Python knows, such as utf-8, utf-16 or cp1252") from error
        return encoding

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        if self.records is not None and self.type != "json":
            raise ValueError("records: only for json")
        if (self.delimiter != "," or self.decimal_comma) and self.type != "csv":
            raise ValueError("delimiter and decimal_comma: only for csv")
        return self


class LogMapping(_Strict):
    """The rows of one log: at most one from each record."""

    where: SqlExpression | None = None
    """SQL condition on a record. Records for which it is not true give no row."""
    columns: dict[str, SqlExpression] = Field(min_length=1)
    """Column of the log: DuckDB SQL expression over the fields of one record."""


class SourceMapping(_Strict):
    """A source: a folder of exported files below the landing zone, and the rows of the logs that they give."""

    source: str
    """Name of the source: lower-case letters, digits and underscores. The name of the mapping file."""
    description: str = Field(min_length=1)
    """What is exported, in a line."""
    documented_at: str | None = None
    """Where the provider documents the export."""
    files: str
    """Pattern of the paths below the landing zone, with `{date}` for the log date; `*` is any part of a name, `**` any
    number of folders. A compression extension may follow."""
    format: RawFormat
    """How the files are read."""
    optional_fields: tuple[str, ...] = Field((), strict=False)
    """Fields that a file may lack altogether. They are null then. Any other field must occur in at least one record. If it
    does not, the file is refused for each log that has records in it."""
    logs: dict[Annotated[Log, Field(strict=False)], LogMapping] = Field(min_length=1)
    """The logs that the files feed."""

    @field_validator("source")
    @classmethod
    def _source(cls, source: str) -> str:
        if not _NAME.fullmatch(source):
            raise ValueError("must be lower-case letters, digits and underscores, a letter first")
        return source

    @field_validator("files")
    @classmethod
    def _files(cls, files: str) -> str:
        folder, _, rest = files.partition("/")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", folder) or not rest:
            raise ValueError("must begin with a folder below the landing zone, such as my_export/{date}.csv")
        if folder in list(Log):
            raise ValueError(f"{folder}/ holds files of the log {folder}; choose a folder of another name")
        if files.count(_DATE) != 1:
            raise ValueError("must hold {date} once: the log date in the path, as YYYY-MM-DD")
        if re.search(r"\{(?!date\})|(?<!\{date)\}|[\[\]?\\]|//|(^|/)\.{1,2}(/|$)|(?<!/)\*\*|\*\*(?!/)", files):
            raise ValueError("may hold {date}, * and ** as a whole folder, and no other pattern")
        return files

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        for log, mapping in self.logs.items():
            names = [column.name for column in COLUMNS[log]]
            if unknown := [name for name in mapping.columns if name not in names]:
                raise ValueError(f"logs.{log}.columns: no column {unknown[0]}; {log} has {', '.join(names)}")
            required = [column.name for column in COLUMNS[log] if column.must_be_in_file]
            if missing := [name for name in required if name not in mapping.columns]:
                raise ValueError(f"logs.{log}.columns: {missing[0]} is required; map it to an expression")
        return self

    @property
    def folder(self) -> str:
        """The folder below the landing zone that holds the files."""
        return self.files.partition("/")[0]

    @cached_property
    def _path(self) -> re.Pattern[str]:
        def pattern_of(text: str) -> str:
            parts = re.split(r"(\{date\}|\*\*/|\*)", text)
            return "".join(groups.get(part) or re.escape(part) for part in parts)

        groups = {_DATE: r"(\d{4}-\d{2}-\d{2})", "**/": "(?:[^/]+/)*", "*": "[^/]*"}
        stem, dot, extension = _SUFFIX.sub("", self.files).rpartition(".")
        if not dot or "/" in extension:
            return re.compile(pattern_of(_SUFFIX.sub("", self.files)), re.ASCII)
        return re.compile(rf"{pattern_of(stem)}(?i:\.{pattern_of(extension)})", re.ASCII)

    def path_below_landing(self, path: str) -> str | None:
        """The end of a path that is a path of this source; None if it has none."""
        parts = path.split("/")
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((end for end in ends if self.log_date(end)), None)

    def log_date(self, path: str) -> date | None:
        """The log date of a path below the landing zone; None if the path is none of a file of this source."""
        match = self._path.fullmatch(_SUFFIX.sub("", path))
        try:
            return date.fromisoformat(match[1]) if match else None
        except ValueError:
            return None


@dataclass(frozen=True)
class Source:
    """A mapping that was read and checked. The fingerprint changes with whatever changes the rows that it gives."""

    name: str
    fingerprint: str
    mapping: SourceMapping | None = field(compare=False, repr=False)
    """None: the source is gone, or does not map the file any more, whose rows are removed."""
