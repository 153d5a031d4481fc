"""How a contract is declared: a class whose annotated attributes are the columns, with their rules. Its pandera schema is made
when rows are first checked, because pandera imports pandas, which takes half a second. For marts also: types, rules of a column.

Not here: the contracts (`models.logs`, `models.marts`, `models.insights`), the labels of columns (`models.labels`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from inspect import get_annotations
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args

import polars as pl

if TYPE_CHECKING:
    import pandera.polars as pa

_CHECK = "contract_check"


@dataclass(frozen=True)
class Rules:
    """What a contract says about a column beside its type. `checks`: arguments of pandera's `Field`, such as `ge`."""

    description: str
    nullable: bool
    checks: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def check(*columns: str, **options: Any) -> Callable[[Callable[..., pl.LazyFrame]], Callable[..., pl.LazyFrame]]:
    """Makes a method a check of these columns, with the options of pandera's `check`."""

    def mark(method: Callable[..., pl.LazyFrame]) -> Callable[..., pl.LazyFrame]:
        setattr(method, _CHECK, (columns, options))
        return method

    return mark


class Contract:
    """The columns of a log or a mart. `strict` and `ordered`: a frame has exactly these columns, in this order."""

    strict: ClassVar[bool] = False
    ordered: ClassVar[bool] = False

    @classmethod
    def rules(cls) -> dict[str, Rules]:
        """The rules of the columns, by name, in the order of the contract."""
        return {name: getattr(cls, name) for name in cls._annotations()}

    @classmethod
    def types(cls) -> dict[str, pl.DataType]:
        """The types of the columns, by name: from `pl.String`, or `Annotated[pl.Decimal, 18, 2]`."""
        types = {}
        for name, annotation in cls._annotations().items():
            dtype, *parameters = get_args(annotation) or (annotation,)
            types[name] = dtype(*parameters)
        return types

    @classmethod
    def _annotations(cls) -> dict[str, Any]:
        classes = cls.__mro__[: cls.__mro__.index(Contract)]
        return {name: annotation for each in reversed(classes) for name, annotation in get_annotations(each).items()}

    @classmethod
    @cache
    def to_schema(cls) -> "pa.DataFrameSchema":
        """The pandera schema, which checks frames."""
        import pandera.polars as pa

        fields = {
            name: pa.Field(nullable=rules.nullable, description=rules.description, metadata=dict(rules.metadata), **rules.checks)
            for name, rules in cls.rules().items()
        }  # fmt: skip
        checks = {}
        for name in dir(cls):
            if hasattr(method := getattr(cls, name), _CHECK):
                columns, options = getattr(method, _CHECK)
                checks[name] = pa.check(*columns, **options)(method)
        config = type("Config", (), {"strict": cls.strict, "ordered": cls.ordered})
        body = {"__annotations__": cls._annotations(), **fields, **checks, "Config": config}
        model: Any = type(cls.__name__, (pa.DataFrameModel,), body)
        schema: pa.DataFrameSchema = model.to_schema()
        return schema


Timestamp = Annotated[pl.Datetime, "us", None]
Money = Annotated[pl.Decimal, 18, 2]
Amount = Annotated[pl.Decimal, 18, 4]
"""In the currency of an order, which may have four decimal places."""
Cost = Annotated[pl.Decimal, 18, 6]
"""Of messages, in the reporting currency."""


def always(description: str, *, nullable: bool = False, **checks: Any) -> Any:
    """A column that is never null."""
    return Rules(description, nullable, checks)


def maybe(description: str, **checks: Any) -> Any:
    """A column that may be null; its description says when."""
    return always(description, nullable=True, **checks)


def count(description: str) -> Any:
    return always(description, ge=0)


class MartContract(Contract):
    """The rule of all marts: exactly these columns, in this order, with these types."""

    strict = True
    ordered = True


@dataclass(frozen=True)
class Mart:
    """A mart: its contract, and its key: no two rows have the same values in these columns. Null is a value."""

    contract: type[MartContract]
    key: tuple[str, ...]
    schema: str = "marts"
