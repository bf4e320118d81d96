"""Print how many imports each room has from each other room: `make picture`.

The rooms stand in the order of pyproject.toml. While imports run one way, every number is on the
diagonal, which counts the imports inside a room, or right of it.
"""

from collections import Counter

import grimp

from tests.test_architecture import ROOMS, ignored, room_of


def main() -> None:
    graph = grimp.build_graph("spark_keyframes", cache_dir=None)
    counts: Counter[tuple[str, str]] = Counter()
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            if (importer, imported) not in ignored("rooms"):
                counts[room_of(importer), room_of(imported)] += 1
    width = max(len(room) for room in ROOMS)
    print(" " * (width + 3), *(f"{number:3}" for number in range(1, len(ROOMS) + 1)))
    for number, room in enumerate(ROOMS, 1):
        cells = [f"{counts[room, other] or '.':>3}" for other in ROOMS]
        print(f"{room:{width}} {number:2}", *cells)


if __name__ == "__main__":
    main()
