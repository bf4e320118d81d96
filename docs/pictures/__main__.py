"""Draws the pictures of the pages that explain, from the figures in measured.json.

python -m docs.pictures              # draw
python -m docs.pictures --measure    # measure first: writes measured.json, and draws
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from docs.pictures import choice, packets, row

DOCS = Path(__file__).parents[1]
MEASURED = Path(__file__).with_name("measured.json")


def main() -> None:
    """Write all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--measure", action="store_true", help="score and decode the demo's videos again"
    )
    if parser.parse_args().measure:
        from docs.pictures.measuring import measure

        with tempfile.TemporaryDirectory() as folder:
            found = measure(Path(folder))
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items()]
        MEASURED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        print(MEASURED.relative_to(DOCS.parent))
    for path, text in drawn():
        path.write_text(text)
        print(path.relative_to(DOCS.parent))


def drawn() -> Iterator[tuple[Path, str]]:
    """Each picture's file, and its content as it must be."""
    measured = json.loads(MEASURED.read_text())
    yield DOCS / "aks.svg", choice.picture(measured["curve"])
    yield DOCS / "decoding.svg", packets.picture(measured["packets"])
    yield DOCS / "row.svg", row.picture()


if __name__ == "__main__":
    main()
