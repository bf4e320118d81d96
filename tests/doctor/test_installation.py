"""What is installed: Python, packages, Java, Spark, Arrow. Each check is seen good and bad."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.environments import environment_without


@pytest.fixture
def metadata_of(tmp_path, monkeypatch):
    """Install metadata of a package, before the real one."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def install(name, version, *lines):
        place = folder / f"{name}-{version}.dist-info"
        place.mkdir()
        text = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *lines]
        (place / "METADATA").write_text("\n".join(text) + "\n")

    return install


def needing(*packages):
    return [f"Requires-Dist: {each}" for each in packages]


def test_this_python_is_good(line):
    name, level, found, advice = line("python")
    assert (name, level, advice) == ("Python", "good", "")
    assert found.startswith("{}.{}.{}".format(*sys.version_info[:3]))
    assert sys.prefix in found


def test_an_older_python_than_the_package_asks_for_is_bad(line, metadata_of):
    metadata_of("spark_keyframes", "9.0", "Requires-Python: >=4.0")
    _, level, found, advice = line("python")
    assert (level, found.endswith("which asks for Python >=4.0")) == ("bad", True)
    assert "make an environment with Python >=4.0" in advice


def test_these_packages_are_good(line):
    name, level, found, _ = line("packages")
    assert (name, level) == ("packages", "good")
    assert f"torch {metadata.version('torch')}" in found
    assert f"; optional ones: botocore {metadata.version('botocore')}" in found


def test_old_and_missing_packages_are_named_with_what_is_needed(lines, metadata_of):
    metadata_of("spark_keyframes", "9.0", *needing("av>=18.1", "torch>=2.13", "pillow>=13.0"))
    metadata_of("av", "14.0.1")
    metadata_of("torch", "2.13.0+cpu")
    assert lines("packages") == [
        ("av", "bad", "14.0.1 is installed, >=18.1 is needed", "run pip install 'av>=18.1'")
    ]


def test_a_missing_package_is_bad_and_a_missing_sdk_a_note(lines, metadata_of):
    metadata_of("spark_keyframes", "9.0", *needing("nowhere-to-be-found>=1", "tos-nowhere>=2"))
    (found,) = [each for each in lines("packages") if each[0].startswith("nowhere")]
    assert found[1:] == (
        "bad",
        "is not installed, >=1 is needed",
        "run pip install 'nowhere-to-be-found>=1'",
    )


def test_requirements_of_another_python_are_left_out(line, metadata_of):
    metadata_of("spark_keyframes", "9.0", *needing("av>=1", 'nowhere; python_version < "3.0"'))
    assert line("packages")[1] == "good"


def test_a_package_without_metadata_is_a_note(line, monkeypatch):
    def none(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", none)
    _, level, found, advice = line("packages")
    assert level == "note"
    assert "has no metadata here" in found
    assert "install the wheel" in advice


JAVA = "echo 'openjdk version \"{}\" 2025-04-15' >&2"


@pytest.fixture(autouse=True)
def java_home(monkeypatch):
    """Without JAVA_HOME, SPARK_HOME and the like, which the machine may have."""
    names = ("JAVA_HOME", "SPARK_HOME", "SPARK_REMOTE", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS")
    for name in (*names, "PYSPARK_PYTHON"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("version", "level", "said"),
    [
        ("17.0.15", "good", "17.0.15"),
        ("21", "good", "21"),
        ("11.0.2", "bad", "needs 17 or newer"),
        ("1.8.0_392", "bad", "8.0_392"),
        ("25.0.1", "note", "newer than the 21"),
    ],
)
def test_java_of_each_age(line, program, version, level, said):
    path = program("java", JAVA.format(version))
    name, found_level, found, _ = line("java")
    assert (name, found_level) == ("Java", level)
    assert said in found
    assert f"{path} in PATH" in found


def test_java_home_wins_and_a_broken_one_is_bad(line, program, tmp_path, monkeypatch):
    path = program("java", JAVA.format("17.0.1"))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    _, level, found, advice = line("java")
    assert level == "bad"
    assert "gone/bin/java does not run" in found
    assert "No such file" in found
    assert f"unset JAVA_HOME, then {path} is used" in advice
    monkeypatch.setenv("JAVA_HOME", str(path.parent.parent))
    assert line("java")[1] == "good"


def test_a_java_that_is_no_java_is_bad(line, program):
    program("java", "echo command not licensed; exit 3")
    _, level, found, _ = line("java")
    assert level == "bad"
    assert "command not licensed" in found


def test_no_java_is_bad_for_spark_but_not_for_connect(line, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert line("java")[1] == "bad"
    monkeypatch.setenv("SPARK_REMOTE", "sc://localhost")
    assert line("java")[1] == "note"


def test_this_spark_is_good(line, monkeypatch):
    import pyspark

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    name, level, found, _ = line("spark")
    assert (name, level) == ("Spark", "good")
    assert found.startswith(f"{pyspark.__version__} in ")
    assert "local[*], if none is given" in found


def test_the_master_is_found_where_spark_looks(line, monkeypatch, tmp_path):
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    (tmp_path / "spark-defaults.conf").write_text("# spark.master local\nspark.master  yarn\n")
    assert "master yarn (" in line("spark")[2]
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--master k8s://host pyspark-shell")
    assert "master k8s://host (PYSPARK_SUBMIT_ARGS)" in line("spark")[2]
    monkeypatch.setenv("SPARK_REMOTE", "sc://host:1/;token=QZXJKVWQZXJ")
    assert "SPARK_REMOTE is sc://host:1/" in line("spark")[2]
    assert "QZXJKV" not in line("spark")[2]


def test_two_sparks_are_bad(line, monkeypatch, tmp_path):
    for name in ("bin/spark-submit", "jars/spark-core_2.12-3.5.1-amzn-0.jar"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    _, level, found, advice = line("spark")
    assert level == "bad"
    assert found.startswith("two: Python imports pyspark 4")
    assert f"SPARK_HOME is Spark 3.5.1 in {tmp_path}" in found
    assert advice == "unset SPARK_HOME, or run pip install pyspark==3.5.1"


def test_a_spark_home_without_a_spark_is_bad(line, monkeypatch, tmp_path):
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    assert line("spark")[1:3] == (
        "bad",
        f"SPARK_HOME is {tmp_path}, where there is no bin/spark-submit",
    )


def test_the_spark_of_spark_home_may_be_that_of_python(line, monkeypatch):
    import pyspark

    monkeypatch.setenv("SPARK_HOME", str(Path(pyspark.__file__).parent))
    assert line("spark")[1] == "good"


def test_two_distributions_in_one_folder_are_bad(line, metadata_of):
    metadata_of("databricks_connect", "16.1.0")
    _, level, found, _ = line("spark")
    assert level == "bad"
    assert "databricks-connect 16.1.0 are installed into one folder" in found


def test_a_python_for_workers_that_is_none_is_bad(line, program, monkeypatch):
    monkeypatch.setenv("PYSPARK_PYTHON", "/opt/none/python")
    assert "PYSPARK_PYTHON is /opt/none/python, which is no program here" in line("spark")[2]
    monkeypatch.setenv("PYSPARK_PYTHON", str(program("python3.7", "echo 3.7")))
    _, level, found, _ = line("spark")
    assert level == "bad"
    assert "with Python 3.7, and this is Python 3.1" in found


def test_arrow_and_pandas_are_good(line):
    import pandas

    name, level, found, _ = line("arrow")
    assert (name, level) == ("Arrow/pandas", "good")
    assert f"pandas {pandas.__version__}" in found


def test_arrow_older_than_spark_wants_is_bad(line, metadata_of):
    # As pyspark repeats it in each extra, with a limit above as 3.5 has for NumPy.
    wanted = ("pyarrow>=99; extra == 'sql'", "pyarrow>=99; extra == 'connect'")
    metadata_of("pyspark", "4.3.0", *needing(*wanted, "numpy<90; extra == 'sql'"))
    name, level, found, advice = line("arrow")
    assert (name, level) == ("pyarrow", "bad")
    assert "Spark 4.3.0 wants >=99" in found
    assert advice == "run pip install 'pyarrow>=99'"


def test_without_pyspark_and_botocore_the_others_go_on(tmp_path):
    """In an environment without them, without Java and without a home, as a user runs it."""
    import json
    import subprocess

    python = environment_without(tmp_path / "env", "pyspark", "py4j", "botocore", "boto3")
    program = (
        "from spark_keyframes.doctor.options import Options\n"
        "from spark_keyframes.doctor.command import run\n"
        "only = ('python', 'java', 'spark', 'arrow', 'tos', 's3')\n"
        "raise SystemExit(run(Options(only=only), as_json=True))"
    )
    done = subprocess.run(
        [python, "-c", program],
        cwd=tmp_path,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (place,) = json.loads(done.stdout)["places"]
    levels = {each["name"]: each["level"] for each in place["findings"]}
    assert levels == {
        "Python": "good",
        "Java": "note",
        "Spark": "note",
        "Arrow/pandas": "good",
        "TOS": "note",
        "S3": "note",
    }
