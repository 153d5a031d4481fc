"""The ledger's SQLite file: opening, migration, transactions that survive a power cut, and rows as dataclasses.

Not here: the tables; each subject has a module of its own.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from models.enums import Log

VERSION = 2
"""The version of the tables, recorded in the file. Raise it, and add a migration, with every change that an older program
would read wrongly or would not maintain. 0: a file from before the version was recorded.
"""

LOCK_TIMEOUT_SECONDS = 60
"""How long a transaction waits for another program that has locked the ledger."""

T = TypeVar("T")

# In place of Python's own adapters, which are deprecated and write another form of a time.
sqlite3.register_adapter(date, date.isoformat)
sqlite3.register_adapter(datetime, datetime.isoformat)


class LedgerIsNewer(sqlite3.Error):
    """A newer version of Sendmart wrote the ledger; this version would misread it."""


class LedgerDamaged(sqlite3.DatabaseError):
    """The ledger is damaged, or is missing although the data folder holds data."""


_FAULTS_OF_THE_MACHINE = ("locked", "disk I/O error", "is full", "readonly", "unable to open")
"""Parts of SQLite's messages that say nothing about the content of the file."""


def now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The ledger file. Each subclass has the `tables` of its subject. Each of the methods below is one transaction."""

    tables = ""

    def __init__(self, path: Path, find_data: Callable[[], str | None] = lambda: None) -> None:
        """`find_data` names data which shows that the folder has had a ledger; None: a missing ledger is a new one."""
        self._path = path
        self._find_data = find_data
        self._prepared_schema: int | None = None
        """SQLite's number of the schema that has all tables: to look for each of them would take longer than most queries."""

    def create(self) -> None:
        """Creates an empty ledger file, although the data folder holds data; a file with content is left as it is."""
        self._find_data = lambda: None
        with self._transaction():
            pass

    def verify(self) -> None:
        """Reads the whole file.

        Raises:
            LedgerDamaged: SQLite finds a fault.
        """
        with self._transaction() as connection:
            (result,) = connection.execute("pragma integrity_check(1)").fetchone()
            if result != "ok":
                raise LedgerDamaged(f"{self._path} is damaged ({result})")

    def _refuse_missing_file(self) -> None:
        if self._path.exists() and self._path.stat().st_size:
            return
        if data := self._find_data():
            state = "is empty" if self._path.exists() else "does not exist"
            raise LedgerDamaged(f"{self._path} {state}, although {data} exists")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What cannot be read in this block is damage of the ledger: a `LedgerDamaged`."""
        try:
            yield
        except (LedgerDamaged, LedgerIsNewer):
            raise
        except (sqlite3.Error, ValueError, TypeError, LookupError, OverflowError) as error:
            if any(fault in str(error) for fault in _FAULTS_OF_THE_MACHINE):
                raise
            raise LedgerDamaged(f"{self._path} is damaged ({type(error).__name__}: {error})") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading(), self._opened() as connection, connection:
            yield connection

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self._refuse_missing_file()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=LOCK_TIMEOUT_SECONDS)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("pragma synchronous = full")
            (version,) = connection.execute("pragma user_version").fetchone()
            if version > VERSION:
                raise LedgerIsNewer(
                    f"{self._path} has version {version} of the ledger, and this program knows {VERSION}"
                )
            if version < VERSION or _schema_version(connection) != self._prepared_schema:
                self._migrate(connection)
                connection.executescript("".join(vars(subject).get("tables", "") for subject in type(self).__mro__))
                if version < VERSION:
                    connection.execute(f"pragma user_version = {VERSION}")
                self._prepared_schema = _schema_version(connection)
            yield connection
        finally:
            connection.close()

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Converts the tables of an older version."""

    def _execute(self, statement: str, *values: object) -> None:
        with self._transaction() as connection:
            connection.execute(statement, values)

    def _execute_many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self._transaction() as connection:
            connection.executemany(statement, rows)

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._transaction() as connection:
            return connection.execute(query, values).fetchall()

    def _value(self, query: str, *values: object) -> Any:
        """The first column of the first row; None if there is no row."""
        rows = self._rows(query, *values)
        return rows[0][0] if rows else None

    def _all(self, kind: type[T], query: str, *values: object) -> list[T]:
        """The rows as objects of a dataclass, whose fields are columns of the query or have a default."""
        rows = self._rows(query, *values)
        columns = rows[0].keys() if rows else ()
        parsers = {name: _parser(hint) for name, hint in get_type_hints(kind).items() if name in columns}
        with self._reading():
            return [kind(**{name: parse(row[name]) for name, parse in parsers.items()}) for row in rows]

    def _first(self, kind: type[T], query: str, *values: object) -> T | None:
        return next(iter(self._all(kind, query, *values)), None)


def _schema_version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("pragma schema_version").fetchone()
    return int(version)


def _parser(hint: Any) -> Callable[[Any], Any]:
    """The function from a stored value to one of this type; a null stays None."""
    by_type: dict[Any, Callable[[Any], Any]] = {
        bool: bool,
        date: date.fromisoformat,
        datetime: datetime.fromisoformat,
        Log: Log,
        tuple[str, ...]: lambda text: tuple(json.loads(text)),
    }
    types = [hint, *get_args(hint)] if NoneType in get_args(hint) else [hint]
    parse = next((by_type[of_type] for of_type in types if of_type in by_type), None)
    return lambda value: value if parse is None or value is None else parse(value)
