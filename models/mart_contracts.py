"""What the contracts of all marts are made of: the types of columns, the rules of a column, the rule of a mart.

Not here: the contracts themselves (`models.marts`, `models.insights`), the labels of columns (`models.labels`).
"""

from dataclasses import dataclass
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl

Timestamp = Annotated[pl.Datetime, "us", None]
Money = Annotated[pl.Decimal, 18, 2]
Amount = Annotated[pl.Decimal, 18, 4]
"""In the currency of an order, which may have four decimal places."""
Cost = Annotated[pl.Decimal, 18, 6]
"""Of messages, in the reporting currency."""


def always(description: str, *, nullable: bool = False, **checks: Any) -> Any:
    """A column that is never null."""
    return pa.Field(nullable=nullable, description=description, **checks)


def maybe(description: str, **checks: Any) -> Any:
    """A column that may be null; its description says when."""
    return always(description, nullable=True, **checks)


def count(description: str) -> Any:
    return always(description, ge=0)


class MartContract(pa.DataFrameModel):
    """The rule of all marts: exactly these columns, in this order, with these types."""

    class Config:
        strict = True
        ordered = True


@dataclass(frozen=True)
class Mart:
    """A mart: its contract, and its key: no two rows have the same values in these columns. Null is a value."""

    contract: type[MartContract]
    key: tuple[str, ...]
    schema: str = "marts"
