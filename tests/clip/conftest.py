"""Fixtures of several tests of encoders."""

import pytest


@pytest.fixture(scope="session")
def families(tmp_path_factory):
    """A folder with a small model of each family besides CLIP, by the names of `SAVE`."""
    from tests.clip.random_families import LACKING, SAVE, save_family

    folder = tmp_path_factory.mktemp("families")
    for family in SAVE.keys() - LACKING:
        save_family(folder / family, family)
    return folder
