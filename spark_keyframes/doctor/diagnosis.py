"""The doctor's report: lines by where they were found, and the exit code."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from spark_keyframes.doctor.finding import Finding
from spark_keyframes.doctor.text import Writer, condensed

GOOD, SOMETHING_IS_BAD = 0, 1


@dataclass
class Section:
    """The lines of one place."""

    place: str
    """Such as "this machine" or "executors on node-1"."""
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Diagnosis:
    """All that `check` found. Its `str` and `repr` are the report as text."""

    sections: list[Section] = field(default_factory=list)

    def __iter__(self) -> Iterator[Finding]:
        return (each for section in self.sections for each in section.findings)

    @property
    def is_good(self) -> bool:
        """Whether nothing is bad; there may be notes."""
        return all(each.level != "bad" for each in self)

    @property
    def exit_code(self) -> int:
        """0 where nothing is bad, 1 otherwise."""
        return GOOD if self.is_good else SOMETHING_IS_BAD

    def to_json(self) -> str:
        """Return the report as JSON: whether it is good, and the lines by place."""
        places = [
            {"place": section.place, "findings": [asdict(each) for each in section.findings]}
            for section in self.sections
        ]
        return json.dumps({"good": self.is_good, "places": places}, ensure_ascii=False, indent=2)

    def __str__(self) -> str:
        writer = Writer(width=100)
        text, known = [], set(self.sections[0].findings if self.sections else ())
        for number, section in enumerate(self.sections):
            shown = condensed(section.findings, known) if number else section.findings
            text += [writer.heading(section.place), *map(writer.lines, shown)]
        return "\n".join([*text, writer.summary(self)])

    __repr__ = __str__
