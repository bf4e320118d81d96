"""The pages about clusters have a command for each kind. tests/pages checks the commands."""

from tests.conftest import REPO
from tests.pages.snippets import commands_of


def test_there_is_one_for_each_kind_of_cluster():
    pages = [REPO / "docs" / f"{name}.md" for name in ("shipping", "gpu-cluster", "kubernetes")]
    masters = {
        command.words[command.words.index("--master") + 1].partition(":")[0]
        for page in pages
        for command in commands_of(page)
        if "--master" in command.words and any("jobs/" in word for word in command.words)
    }
    assert masters == {"spark", "yarn", "k8s"}
