"""Runs the Python examples of pages in the current folder, as a reader would.

Usage: run_examples.py RESULT PAGE…

Writes a list per page to RESULT, as JSON. It has a record for each example: the line of its code,
what it printed, its error, and the output that the page shows.
"""

import contextlib
import io
import json
import re
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

VIDEO = Path("out/cooking.mp4")

# An example, and its output if the page shows one: in a "text" fence if it differs from run to run.
# A comment `<!-- not run: why -->` before an example skips it.
EXAMPLE = re.compile(
    r"(?P<skip><!-- not run: [^>]+ -->\n)?^```python\n(?P<code>.*?)^```\n"
    r"(?:\n^```(?P<varies>text)?\n(?P<output>.*?)^```$)?",
    flags=re.DOTALL | re.MULTILINE,
)


def run_page(page: Path, names: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a page's examples in order, in the namespace `names`; stop at the first that raises."""
    text = page.read_text()
    ran = []
    for example in EXAMPLE.finditer(text):
        if example["skip"]:
            continue
        line = text[: example.start("code")].count("\n") + 1
        printed, error = io.StringIO(), None
        with contextlib.redirect_stdout(printed):
            try:
                # Empty lines before the code let a traceback name the page's own lines.
                code = compile("\n" * (line - 1) + example["code"], str(page), "exec")
                exec(code, names)
            except Exception:  # noqa: BLE001 - the test reports it
                error = traceback.format_exc()
        ran.append(
            {
                "line": line,
                "printed": printed.getvalue(),
                "error": error,
                "output": example["output"],
                "varies": bool(example["varies"]),
            }
        )
        if error:
            break
    return ran


def main(result: Path, readme: Path, *pages: Path) -> None:
    """Run all pages. Those after the README go on with its names: `spark`, `videos`, `sampler`."""
    # Spark pickles the classes of a namespace of this name by value, like those of a notebook.
    names: dict[str, Any] = {"__name__": "__main__"}
    ran = {str(readme): run_page(readme, names)}
    for page in pages:
        for made in VIDEO.parent.iterdir():
            if made.is_dir() and made.name != "models":
                shutil.rmtree(made)
        ran[str(page)] = run_page(page, {**names})
    result.write_text(json.dumps(ran))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
