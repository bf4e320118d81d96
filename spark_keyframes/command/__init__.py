"""Commands for a terminal, by click: options in groups, and one line where something is wrong."""

from spark_keyframes.command.ending import EXIT_CODES, FAILED, WRONG_OPTIONS, exit_code, run_command
from spark_keyframes.command.grouped import Argument, Command, Group, Option, write_exit_codes
from spark_keyframes.command.hints import close_to
from spark_keyframes.command.types import Choice, Number, PlaceType, Text

__all__ = [
    "EXIT_CODES",
    "FAILED",
    "WRONG_OPTIONS",
    "Argument",
    "Choice",
    "Command",
    "Group",
    "Number",
    "Option",
    "PlaceType",
    "Text",
    "close_to",
    "exit_code",
    "run_command",
    "write_exit_codes",
]
