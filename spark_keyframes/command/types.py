"""Types of options: what a shell completes, and messages that give the value."""

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from spark_keyframes.command.hints import close_to


class Text(click.ParamType):  # type: ignore[type-arg]
    """A value that a function makes of a text.

    Args:
        function: raises ValueError, with a message, for a text that it refuses.
        name: of the type, for messages.
    """

    def __init__(self, function: Callable[[str], Any] = str, name: str = "text") -> None:
        self.name = name
        self._function = function

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value of a text."""
        try:
            return self._function(value)
        except ValueError as error:
            return self.fail(str(error), param, ctx)


class Number(Text):
    """An int or a float."""

    def __init__(self, kind: type) -> None:
        super().__init__(kind, kind.__name__)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        try:
            return self._function(value)
        except ValueError:
            return self.fail(f"invalid {self.name} value: {value!r}", param, ctx)


class Choice(click.Choice):  # type: ignore[type-arg]
    """One of some texts."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text if it is one of them."""
        if value in self.choices:
            return value
        hint = close_to(value, self.choices)
        choices = ", ".join(self.choices)
        return self.fail(f"invalid choice: {value!r} (choose from {choices}){hint}", param, ctx)


class PlaceType(click.ParamType):  # type: ignore[type-arg]
    """A file, a folder or a URL; a shell completes those of this machine.

    Args:
        kind: "file" or "dir": what is completed.
    """

    name = "place"

    def __init__(self, kind: str = "file") -> None:
        self._kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete the path."""
        return [CompletionItem(incomplete, type=self._kind)]
