"""The documentation of the fields of pydantic models: the text below each field.

pydantic could read it itself (`use_attribute_docstrings`), but would then parse the source in every command.

Not here: the pages and schemas that hold these texts (`settings_docs`, `json_schemas`).
"""

import ast
import inspect
import textwrap

from pydantic import BaseModel


def describe_fields(*models: type[BaseModel]) -> None:
    """Sets the description of each field. A model that is a field of another comes before it."""
    for model in models:
        for name, text in _field_docs(model).items():
            model.model_fields[name].description = text
        model.model_rebuild(force=True)


def _field_docs(model: type[BaseModel]) -> dict[str, str]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)
    pairs = zip(definition.body, definition.body[1:], strict=False)
    return {
        ast.unparse(field.target): inspect.cleandoc(text)
        for field, below in pairs
        if isinstance(field, ast.AnnAssign)
        and isinstance(below, ast.Expr)
        and isinstance(text := ast.literal_eval(below.value) if isinstance(below.value, ast.Constant) else None, str)
    }
