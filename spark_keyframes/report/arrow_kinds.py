"""What the columns of an Arrow schema hold."""

from typing import TYPE_CHECKING

from spark_keyframes.html.row_columns import Kind

if TYPE_CHECKING:
    import pyarrow as pa


def kinds_of_arrow(schema: "pa.Schema") -> dict[str, Kind]:
    """Return what each column holds, see `html.row_columns`."""
    return {field.name: _kind(field.type) for field in schema}


def _kind(type_: "pa.DataType") -> Kind:
    from pyarrow import types

    if types.is_dictionary(type_):  # as partition columns may be
        return _kind(type_.value_type)
    if types.is_struct(type_):
        return Kind("struct", frozenset(field.name for field in type_))
    if types.is_list(type_) or types.is_large_list(type_):
        return Kind("array", element=_kind(type_.value_type))
    tests = {
        "number": (types.is_floating, types.is_integer, types.is_decimal),
        "string": (types.is_string, types.is_large_string),
        "binary": (types.is_binary, types.is_large_binary),
    }
    found = (name for name, those in tests.items() if any(test(type_) for test in those))
    return Kind(next(found, ""))
