"""A click command whose options are in groups, so that its help fits on a page.

`--help` shows the common options and names the groups, `--help GROUP` shows one of them, and
`--help-all` all. Wrong words end with one line.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import click

from spark_keyframes.command.ending import EXIT_CODES
from spark_keyframes.command.words import Words, WordsError, hint_for, sort_words

_ALL = "all"
_HELP = "spark_keyframes.help"
_HELP_NAMES = ("-h", "--help", "--help-all", "--help-group")
_MEANING = re.compile(r"^.*?\.(?=\s+[A-Z]|$)", re.DOTALL)  # the first sentence
_DEFAULT = re.compile(r"Default: (?!''\.)\S.*$", re.DOTALL)
_FIRST_COLUMN = 24


@dataclass(frozen=True)
class Group:
    """A group of options."""

    key: str
    """one word, for `--help KEY`"""
    title: str


OWN = Group("command", "this command")


class Option(click.Option):
    """An option of a group.

    Args:
        names: such as ["--text"]; ["--a/--no-a"] for a flag with its opposite.
        group: that it is listed in.
        common: also listed in the short help.
        many: it takes one value or more, and may be repeated.
        options: of click.Option.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        group: Group = OWN,
        common: bool = False,
        many: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(list(names), **(options | ({"multiple": True} if many else {})))
        self.group = group
        self.common = common
        self.many = many

    def spelled(self) -> str:
        """Return the names, and what follows them."""
        names = ", ".join([*self.opts, *self.secondary_opts])
        if self.is_flag:
            return names
        value = self.metavar or "VALUE"
        return f"{names} {value} [{value} ...]" if self.many else f"{names} {value}"

    def meaning(self) -> str:
        """Return the first sentence of the help, and the default."""
        text = self.help or ""
        first, default = _MEANING.match(text), _DEFAULT.search(text)
        if not first:
            return text
        return first[0] if not default or default[0] in first[0] else f"{first[0]} {default[0]}"


class Command(click.Command):
    """A command whose options are in groups.

    Args:
        name: of the command.
        params: Options, and click.Arguments.
        run: called with the values that were given, by name.
        description: what it does.
        examples: commands, without the program's name.
        called_as: what precedes each example; by default the program's name.
        groups: in the order of the help.
        exit_codes: list them in the help.
        too_many: what to do where an argument is one too many.
    """

    def __init__(
        self,
        name: str,
        *,
        params: Sequence[click.Parameter],
        run: Callable[[dict[str, Any]], int | None],
        description: str,
        examples: Sequence[str] = (),
        called_as: str = "",
        groups: Sequence[Group] = (OWN,),
        exit_codes: bool = True,
        too_many: str = "",
    ) -> None:
        def called(**_values: Any) -> int | None:
            return run(_given(click.get_current_context()))

        super().__init__(
            name,
            params=[*params, *_help_options()],
            callback=called,
            help=description,
            add_help_option=False,
            context_settings={"max_content_width": 100},
        )
        self.examples = examples
        self.called_as = called_as
        self.groups = groups
        self.exit_codes = exit_codes
        self.too_many = too_many

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Sort the words, and let click convert the values."""
        if ctx.resilient_parsing:  # a shell completes a word
            return super().parse_args(ctx, args)
        known = self._known(ctx)
        try:
            words = sort_words(_with_help_group(args, [group.key for group in self.groups]), known)
        except WordsError as error:
            ctx.fail(str(error))
        given = [name if value is None else f"{name}={value}" for name, value in words.options]
        shows_help = any(name in _HELP_NAMES for name, _ in words.options)
        if not shows_help:
            self._check(ctx, words, known)
        ctx.meta["words"] = words
        return super().parse_args(ctx, [*given, "--", *words.arguments])

    def _known(self, ctx: click.Context) -> dict[str, Any]:
        options = [each for each in self.get_params(ctx) if isinstance(each, Option)]
        return {name: each for each in options for name in (*each.opts, *each.secondary_opts)}

    def _check(self, ctx: click.Context, words: Words, known: dict[str, Any]) -> None:
        """End with one line where words are not understood, or are missing."""
        arguments = self._arguments()
        names = {name for name, _ in words.options}
        missing = [each.metavar or each.name or "" for each in arguments[len(words.arguments) :]]
        options = [each for each in self.params if isinstance(each, Option) and each.required]
        missing += [each.opts[0] for each in options if not names & {*each.opts}]
        extra = words.arguments[len(arguments) :]
        if wrong := [*words.unknown, *extra]:
            hint = self.too_many
            if words.unknown or not hint:
                hint = hint_for(wrong, known, missing)
            ctx.fail(f"unrecognized arguments: {' '.join(wrong)}{hint}")
        if missing:
            raise MissingArgumentsError(missing, ctx)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the words of the usage line: what is required, and that there are options."""
        pieces = [each.metavar or "" for each in self.params if isinstance(each, click.Argument)]
        options = [each for each in self.params if isinstance(each, Option)]
        return [*pieces, *(each.spelled() for each in options if each.required), "[OPTIONS]"]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help, of the length that was asked for."""
        wanted = ctx.meta.get(_HELP, "")
        if wanted in [group.key for group in self.groups]:
            (group,) = [group for group in self.groups if group.key == wanted]
            self._write_group(formatter, group, whole=True)
            return
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        if wanted == _ALL:
            for group in self.groups:
                self._write_group(formatter, group, whole=True)
        else:
            self._write_common(formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write_text(f"{self.called_as or ctx.command_path} {example}")
        if self.exit_codes:
            write_exit_codes(formatter)

    def _write_common(self, formatter: click.HelpFormatter) -> None:
        shown = [each for each in self._listed() if each.common or each.required]
        rows = [(each.metavar or "", _help_of(each)) for each in self._arguments()]
        rows += [(each.spelled(), each.meaning()) for each in shown]
        with formatter.section("Options"):
            formatter.write_dl(rows, col_max=_FIRST_COLUMN)
        groups = {each.group for each in self._listed()}
        if all(each in shown for each in self._listed()):
            return
        with formatter.section("More options: --help GROUP, or --help-all"):
            rows = [(group.key, group.title) for group in self.groups if group in groups]
            formatter.write_dl(rows, col_max=_FIRST_COLUMN)

    def _write_group(self, formatter: click.HelpFormatter, group: Group, *, whole: bool) -> None:
        rows = [
            (each.spelled(), (each.help or "") if whole else each.meaning())
            for each in self._listed()
            if each.group == group
        ]
        if group == self.groups[0]:
            rows = [(each.metavar or "", _help_of(each)) for each in self._arguments()] + rows
        if rows:
            with formatter.section(f"{group.title[:1].upper()}{group.title[1:]} ({group.key})"):
                formatter.write_dl(rows, col_max=_FIRST_COLUMN)

    def _listed(self) -> list[Option]:
        return [each for each in self.params if isinstance(each, Option) and not each.hidden]

    def _arguments(self) -> list[click.Argument]:
        return [each for each in self.params if isinstance(each, click.Argument)]


class MissingArgumentsError(click.MissingParameter):
    """Arguments or options that are required are not there; names all of them."""

    def __init__(self, names: Sequence[str], ctx: click.Context) -> None:
        super().__init__(f"the following arguments are required: {', '.join(names)}", ctx)

    def format_message(self) -> str:
        """Return the message as it is."""
        return self.message


class Argument(click.Argument):
    """An argument that the help explains."""

    def __init__(self, names: Sequence[str], *, help: str, **options: Any) -> None:
        super().__init__(list(names), required=False, **options)  # Command checks that it is there
        self.explained = help


def _help_of(argument: click.Argument) -> str:
    return str(getattr(argument, "explained", ""))


def write_exit_codes(formatter: click.HelpFormatter) -> None:
    """Write the exit codes into a help page."""
    with formatter.section("Exit codes"):
        formatter.write_text("; ".join(f"{code}: {meaning}" for code, meaning in EXIT_CODES))


def _given(ctx: click.Context) -> dict[str, Any]:
    """Return the values of the command line, without the defaults."""
    source = click.core.ParameterSource.COMMANDLINE
    return {
        name: value
        for name, value in ctx.params.items()
        if ctx.get_parameter_source(name) == source
    }


def _with_help_group(words: Sequence[str], keys: Collection[str]) -> list[str]:
    """Return the words with `--help KEY` as one option."""
    result: list[str] = []
    for word in words:
        if result and result[-1] in ("-h", "--help") and word in keys:
            result[-1] = f"--help-group={word}"
        else:
            result.append(word)
    return result


def _help_options() -> list[Option]:
    def show(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if not value or ctx.resilient_parsing:
            return
        ctx.meta[_HELP] = value if isinstance(value, str) else _ALL * (param.name == "help_all")
        click.echo(ctx.get_help())
        ctx.exit()

    common: dict[str, Any] = {
        "is_eager": True,
        "expose_value": False,
        "callback": show,
        "hidden": True,
    }
    one, every, group = _HELP_NAMES[:2], _HELP_NAMES[2:3], _HELP_NAMES[3:]
    return [
        Option(one, is_flag=True, **common),
        Option(every, is_flag=True, **common),
        Option(group, **common),
    ]
