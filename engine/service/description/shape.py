"""A JSON Schema in words, for readers. Pure. Names of other schemas come out in brackets."""

from collections.abc import Iterator

from engine.journal.line import Record

__all__ = ["members", "type_of"]


def members(shape: Record) -> Iterator[tuple[str, Record, str, bool]]:
    """Yield name, shape, meaning and whether it is required, of each member of an object."""
    required = shape.get("required", ())
    for name, member in shape["properties"].items():
        yield name, member, member.get("description", ""), name in required


def type_of(shape: Record) -> str:
    """Say in a few words what values `shape` has."""
    match shape:
        case {"$ref": str(place)}:
            return f"[{place.rpartition('/')[2]}]"
        case {"const": value}:
            return f"always {value}"
        case {"enum": list(values)}:
            return "one of " + ", ".join(map(str, values)) + _default(shape)
        case {"oneOf": list(shapes)} | {"anyOf": list(shapes)}:
            return " or ".join(map(type_of, shapes))
        case {"type": "array", "items": dict(items)}:
            return f"list of {type_of(items)}"
        case {"type": "object", "properties": dict(inner)}:
            return "object of " + ", ".join(f"{name}: {type_of(member)}" for name, member in inner.items())
    return _simple(shape)


def _simple(shape: Record) -> str:
    if "contentMediaType" in shape:
        return "file"
    kinds = shape.get("type", "anything")
    names = [_NAMES.get(kind, str(kind)) for kind in (kinds if isinstance(kinds, list) else [kinds])]
    return " or ".join(names) + _format(shape) + _range(shape) + _default(shape)


_NAMES = {"string": "text", "integer": "whole number", "boolean": "true or false"}


def _format(shape: Record) -> str:
    return f" ({shape['format']})" if "format" in shape else ""


def _range(shape: Record) -> str:
    match shape:
        case {"minimum": low, "maximum": high}:
            return f", {low} to {high}"
        case {"minimum": low} if low > 0:
            return f", at least {low}"
    return ""


def _default(shape: Record) -> str:
    return f", {str(shape['default']).lower()} by default" if "default" in shape else ""
