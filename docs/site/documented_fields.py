"""Prepares docstrings for the reference: texts of fields, types such as `array<string>`, links.

griffe reads source code without running it: to it, `documented(4, "…")` of the package's fields.py
is a default like any.
"""

import ast
import re
from typing import Any

import griffe

# The sampler's docstring has the texts of the parameters, in a table.
_TEXTS_ELSEWHERE = {"Parameters", "Runner"}
_PAGE = re.compile(r"\bdocs/([\w-]+\.md)\b")  # docstrings are shown by pages of docs/reference
_TAG = re.compile(r"(`[^`]*`)|<(?=[A-Za-z_])")


class DocumentedFields(griffe.Extension):
    """Shows such a field with its default alone, and its text as its docstring."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Called by griffe when it has read an attribute, before it makes a class's signature."""
        call = attr.value
        if not isinstance(call, griffe.ExprCall) or not isinstance(attr.parent, griffe.Class):
            return
        text = ""
        if str(call.function) == "documented":
            default, text_of_field = call.arguments[:2]
            attr.value, text = default, ast.literal_eval(str(text_of_field))
        elif str(call.function) == "field":
            # Options of the jobs have a call there, and no page here.
            metadata = _keywords(call).get("metadata")
            if isinstance(metadata, griffe.ExprDict):
                text = ast.literal_eval(str(metadata)).get("doc", "")
        # Where the class has a text for each argument already, one is enough.
        of_class = attr.parent.docstring
        told = attr.parent.name in _TEXTS_ELSEWHERE or (of_class and "Args:\n" in of_class.value)
        if text and not told:
            attr.docstring = griffe.Docstring(text, parent=attr)

    def on_attribute(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Called by griffe when it has made the signatures, for which it needs each `field(…)`."""
        if isinstance(attr.value, griffe.ExprCall) and str(attr.value.function) == "field":
            attr.value = _keywords(attr.value).get("default")

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe for each object at the end. Markdown would take <string> for HTML."""
        if obj.docstring:
            text = _TAG.sub(lambda found: found[1] or "&lt;", obj.docstring.value)
            obj.docstring.value = _PAGE.sub(r"[\1](../\1)", text)


def _keywords(call: griffe.ExprCall) -> dict[str, Any]:
    found = [each for each in call.arguments if isinstance(each, griffe.ExprKeyword)]
    return {each.name: each.value for each in found}
