"""Executes a notebook from top to bottom, and writes it without what differs from run to run.

`make notebook` runs it. The test of the notebook uses it too.
"""

import argparse
import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent / "quickstart.ipynb"
SECONDS = 300  # for one cell
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def executed(notebook: Path, folder: Path) -> Any:
    """Return a notebook with new outputs; files are made in `folder`.

    Raises:
        CellExecutionError: a cell failed. It has the code and the traceback.
    """
    found = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        found,
        timeout=SECONDS,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    return stripped(found)


def stripped(notebook: Any) -> Any:
    """Return a notebook without logs, addresses in memory, and metadata of this machine."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type != "code":
            continue
        cell.outputs = [
            output
            for output in cell.outputs
            if not (output.output_type == "stream" and output.name == "stderr")
        ]
        for output in cell.outputs:
            output.pop("metadata", None)
            if output.output_type == "stream":
                output.text = _ADDRESS.sub("", output.text)
                continue
            output.metadata = nbformat.from_dict({})
            output.data = {
                kind: _ADDRESS.sub("", text) if isinstance(text, str) else text
                for kind, text in output.data.items()
            }
    nbformat.validate(notebook)
    return notebook


def main() -> None:
    """Execute the notebook in a new folder, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m notebooks.execute")
    parser.add_argument("notebook", type=Path, nargs="?", default=NOTEBOOK)
    notebook = parser.parse_args().notebook
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(executed(notebook, Path(folder)), notebook)
    print(f"{notebook}: {notebook.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
