"""The sources: mapping files are read, checked and named. Own ones stand in `SENDMART_SOURCES`, shipped ones in
`models/sources/`; an own one replaces the shipped one of the same name.

Not here: the format of a mapping file (`models.source_mapping`), the check of its expressions (`expressions`).
"""

import hashlib
import json
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.source_mapping import Source, SourceMapping
from warehouse.config.settings import PROJECT, SettingsError
from warehouse.ingest.sources.expressions import InvalidExpression, check_expressions
from warehouse.ingest.sources.functions import FUNCTIONS

SHIPPED = PROJECT / "models" / "sources"
SUFFIXES = (".yml", ".yaml")


class MappingInvalid(SettingsError):
    """Mapping files are invalid; the message has one line for each problem: file, key, and what to change."""


class _RepeatedKey(ValueError):
    """A key occurs twice in a mapping file."""


@cache
def _loader() -> Any:
    """The loader of mapping files. YAML is imported only if there is one to read: a refresh with nothing new reads none."""
    import yaml

    class Loader(yaml.CSafeLoader):
        """Refuses a key that occurs twice. YAML alone would use the last one."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys: list[Any] = []
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=True)
                if key in keys:
                    raise _RepeatedKey(f"line {key_node.start_mark.line + 1}: {key}: occurs twice; keep one of them")
                keys.append(key)
            return super().construct_mapping(node, deep)

    return Loader


def load_sources(own: Path | None = None, *, has_files: Callable[[str], bool] = lambda name: True) -> dict[str, Source]:
    """The sources by name, in alphabetical order.

    Args:
        own: the folder of own mappings.
        has_files: whether the shipped source of this name is wanted. The folder of its files has its name.

    Raises:
        MappingInvalid: at least one mapping file is invalid.
    """
    problems: list[str] = []
    sources: dict[str, Source] = {}
    for folder in (SHIPPED, own):
        names_of_folder: set[str] = set()
        for file in _mapping_files(folder):
            if folder is SHIPPED and not has_files(file.stem):
                continue
            try:
                # The tests of the project check the expressions of the shipped ones, which takes too long for every command.
                source = read_mapping(file, checks_expressions=folder is own)
            except MappingInvalid as error:
                problems.append(str(error))
                continue
            if source.name in names_of_folder:
                problems.append(f"{file}: another file of this folder has the source {source.name}; keep one of them")
            names_of_folder.add(source.name)
            sources[source.name] = source
    if problems:
        raise MappingInvalid("\n".join(problems))
    return dict(sorted(sources.items()))


def _mapping_files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and not file.name.startswith("."))
    except OSError as error:
        raise MappingInvalid(f"SENDMART_SOURCES: {folder}: {error.strerror}; create the folder, or unset it") from error
    return files


def has_mapping_files(own: Path | None) -> bool:
    """Whether the folder of own mappings is set and holds one."""
    return bool(_mapping_files(own))


def mapping_file(own: Path | None, name: str) -> Path | None:
    """The mapping file of a source: the own one before the shipped one; None if there is none."""
    files = [*_mapping_files(own), *_mapping_files(SHIPPED)]
    return next((file for file in files if file.stem == name), None)


def read_mapping(file: Path, *, checks_expressions: bool = True) -> Source:
    """The source of a mapping file.

    Raises:
        MappingInvalid: it cannot be read, or is invalid.
    """
    try:
        text = file.read_bytes()
    except OSError as error:
        raise MappingInvalid(f"{file}: cannot be read: {error.strerror}") from error
    return _mapping_of(file, text, checks_expressions)


# A refresh looks at the sources a dozen times.
@lru_cache(maxsize=256)
def _mapping_of(file: Path, text: bytes, checks_expressions: bool) -> Source:
    """The source that this text of a mapping file describes. Raises MappingInvalid."""
    import yaml

    try:
        content = yaml.load(text.decode("utf-8"), _loader())
    except _RepeatedKey as error:
        raise MappingInvalid(f"{file}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MappingInvalid(f"{file}: is no YAML in UTF-8: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise MappingInvalid(f"{file}: must hold the keys of a source (docs/sources/README.md)")
    try:
        mapping = SourceMapping.model_validate(content)
    except ValidationError as error:
        raise MappingInvalid("\n".join(_problem(file, problem) for problem in error.errors())) from error
    if mapping.source != file.stem:
        raise MappingInvalid(
            f"{file}: source: is {mapping.source}; name the file {mapping.source}.yml, or the source {file.stem}"
        )
    if checks_expressions:
        try:
            check_expressions(mapping)
        except InvalidExpression as error:
            raise MappingInvalid(f"{file}: {error}") from error
    return Source(mapping.source, _fingerprint(mapping), mapping)


def _problem(file: Path, problem: Any) -> str:
    """One line about an invalid key."""
    key = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    message = problem["msg"].removeprefix("Value error, ")
    in_words = {
        "missing": "is missing; add it",
        "extra_forbidden": "is no key of a mapping; see docs/sources/README.md for those that are",
        "string_type": _no_text(problem["input"]),
        "enum": f"is no log; the logs are {problem.get('ctx', {}).get('expected')}",
    }.get(problem["type"], message[:1].lower() + message[1:])
    return f"{file}: {key}: {in_words}" if key else f"{file}: {in_words}"


def _no_text(value: object) -> str:
    if isinstance(value, bool):
        return "must be text, and YAML reads yes, no, on and off as true or false; write it in quotes, as in 'yes'"
    if value is None:
        return "must be text, and is empty; an empty column is written null in quotes: 'null'"
    return f"must be text; write it in quotes: '{value}'"


def _fingerprint(mapping: SourceMapping) -> str:
    """Changes with the rows that a file gives, not with the description."""
    content = mapping.model_dump(mode="json", include={"format", "optional_fields", "logs"})
    functions = [function.statement for function in FUNCTIONS]
    return hashlib.sha256(json.dumps([content, functions], sort_keys=True).encode()).hexdigest()
