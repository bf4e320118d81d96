"""What is submitted to each cloud: names of its API, options of our jobs, settings of conf/."""

import importlib
import json
import re
import runpy
import sys
from pathlib import Path

import pytest

from spark_keyframes.jobs import sample
from spark_keyframes.jobs.sample import parse_options
from tests.conftest import REPO
from tests.examples.conftest import EXAMPLES

CONF = dict(
    re.findall(r"^(spark\.\S+) +(.+)$", (REPO / "conf" / "spark-defaults.conf").read_text(), re.M)
)
DAEMON = "spark.python.daemon.module"
NODE_MODELS = "/opt/spark_keyframes/models"


def read(name):
    return json.loads((EXAMPLES / name).read_text())


def called(cloud, script, program):
    """The words that a script calls a program with."""
    cloud.command(program)
    done = cloud.run(EXAMPLES / script)
    assert done.returncode == 0, done.stderr
    (words,) = cloud.called
    return words[1:]


def options_of(words):
    """The options of a command, each with its value, up to `--`."""
    own = words[: words.index("--")] if "--" in words else words
    return dict(word.partition("=")[::2] for word in own if word.startswith("--"))


def properties_of(words):
    separator, listed = re.fullmatch(r"\^(.)\^(.*)", options_of(words)["--properties"]).groups()
    return dict(each.partition("=")[::2] for each in listed.split(separator))


# The options of these commands that are used. Written by hand: gcloud is no package of PyPI.
GCLOUD = {
    "clusters create": {
        *("--region", "--image-version", "--num-workers", "--master-machine-type"),
        *("--worker-machine-type", "--master-boot-disk-size", "--worker-boot-disk-size"),
        *("--metadata", "--initialization-actions", "--initialization-action-timeout"),
        *("--properties", "--max-idle"),
    },
    "jobs submit pyspark": {"--cluster", "--region"},
    "batches submit pyspark": {
        *("--region", "--version", "--container-image", "--deps-bucket", "--properties"),
    },
}


@pytest.fixture
def submitted(cloud):
    """A function that returns the job's file and its arguments, as a cloud's example gives them."""

    def submitted(name):
        if name == "databricks":
            task = read("databricks/job.json")["tasks"][0]["spark_python_task"]
            job, *arguments = task["parameters"]
            return f"{job}.py", arguments
        if name == "emr":
            (step,) = read("emr/steps.json")
            assert set(step) == {"Type", "Name", "ActionOnFailure", "Jar", "Args"}
            assert step["Args"][:3] == ["spark-submit", "--deploy-mode", "client"]
            return step["Args"][3], step["Args"][4:]
        if name == "emr serverless":
            driver = read("emr/serverless_job.json")["jobDriver"]["sparkSubmit"]
            return driver["entryPoint"], driver["entryPointArguments"]
        script = "submit.sh" if name == "dataproc" else "submit_batch.sh"
        words = called(cloud, f"dataproc/{script}", "gcloud")
        job = next(word for word in words if word.endswith(".py"))
        return job, words[words.index("--") + 1 :]

    return submitted


@pytest.mark.parametrize(
    "name", ["databricks", "emr", "emr serverless", "dataproc", "dataproc serverless"]
)
def test_the_job_takes_the_arguments(submitted, name):
    job, arguments = submitted(name)
    assert Path(job).name == "sample.py"
    options = parse_options(arguments)
    assert options.sampler.text == "a red car seen from above"
    assert options.sampler.output_tos_dir
    assert options.has_table
    assert options.sampler.model_path == ("models" if name == "emr serverless" else NODE_MODELS)


def settings(name, cloud):
    """The settings of Spark in a cloud's example."""
    if name == "databricks":
        return read("databricks/job.json")["job_clusters"][0]["new_cluster"]["spark_conf"]
    if name == "emr":
        (defaults,) = read("emr/configurations.json")
        assert defaults["Classification"] == "spark-defaults"
        return defaults["Properties"]
    if name == "emr serverless":
        overrides = read("emr/serverless_job.json")["configurationOverrides"]
        (defaults,) = overrides["applicationConfiguration"]
        assert defaults["classification"] == "spark-defaults"
        return defaults["properties"]
    script = "create_cluster.sh" if name == "dataproc" else "submit_batch.sh"
    given = properties_of(called(cloud, f"dataproc/{script}", "gcloud"))
    if name == "dataproc":
        assert all(each.startswith("spark:") for each in given)
    return {each.removeprefix("spark:"): value for each, value in given.items()}


@pytest.mark.parametrize(
    "name", ["databricks", "emr", "emr serverless", "dataproc", "dataproc serverless"]
)
def test_the_settings_are_those_of_conf(cloud, name):
    given = settings(name, cloud)
    wanted = {**CONF}
    if name == "databricks":
        del wanted[DAEMON]  # README.md says why
    assert {each: given.get(each) for each in wanted} == wanted
    assert (DAEMON in given) is (DAEMON in wanted)


@pytest.mark.parametrize("name", ["emr", "emr serverless", "dataproc", "dataproc serverless"])
def test_python_has_the_memory_that_conf_asks_for(cloud, name):
    """Of each task: libraries, the model in float32, two decoding processes, their frames."""
    text = (REPO / "conf" / "spark-defaults.conf").read_text()
    assert "0.3 GB for libraries" in text
    assert "0.5 GB in float32" in text
    assert "0.1 GB each, and up to 0.8 GB of frames" in text
    given = settings(name, cloud)
    overhead = float(given["spark.executor.memoryOverhead"].removesuffix("g"))
    assert overhead >= int(given["spark.executor.cores"]) * (0.3 + 0.5 + 2 * 0.1 + 0.8)


def test_the_payload_of_databricks_has_the_names_of_its_api():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(__file__).parent / "databricks_job.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    payload = read("databricks/job.json")
    jsonschema.validate(payload, schema, cls=jsonschema.Draft202012Validator)
    keys = {each["job_cluster_key"] for each in payload["job_clusters"]}
    assert {task["job_cluster_key"] for task in payload["tasks"]} == keys
    cluster = payload["job_clusters"][0]["new_cluster"]
    bundle = cluster["spark_env_vars"]["KEYFRAMES_BUNDLE"]
    assert cluster["init_scripts"][0]["volumes"]["destination"] == f"{bundle}/init.sh"
    assert bundle in (EXAMPLES / "databricks" / "init.sh").read_text()
    payload["tasks"][0]["spark_pyhton_task"] = {}
    with pytest.raises(jsonschema.ValidationError, match="spark_pyhton_task"):
        jsonschema.validate(payload, schema)


def aws_shape(service, version, operation):
    """The input of an operation, as the AWS CLI checks it."""
    loaders = pytest.importorskip("botocore.loaders", reason="needs botocore: the API of AWS")
    from botocore.model import ServiceModel

    model = ServiceModel(loaders.Loader().load_service_model(service, "service-2", version))
    return model.operation_model(operation).input_shape


def aws_errors(value, shape):
    from botocore.validate import ParamValidator

    return ParamValidator().validate(value, shape).generate_report()


def test_the_run_of_emr_serverless_has_the_names_of_its_api():
    shape = aws_shape("emr-serverless", "2021-07-13", "StartJobRun")
    given = {
        **read("emr/serverless_job.json"),
        "applicationId": "00f1example",
        "executionRoleArn": "arn:aws:iam::123456789012:role/keyframes",
        "clientToken": "made by the CLI",
    }
    assert not aws_errors(given, shape)
    driver = given.pop("jobDriver")
    assert "jobDriver" in aws_errors({**given, "jobDrivers": driver}, shape)


def test_the_cluster_of_emr_has_the_names_of_its_api(cloud):
    shape = aws_shape("emr", "2009-03-31", "RunJobFlow")
    assert not aws_errors(read("emr/configurations.json"), shape.members["Configurations"])
    words = called(cloud, "emr/create_cluster.sh", "aws")
    assert words[:2] == ["emr", "create-cluster"]
    # The AWS CLI 1.46.3 accepted the command; these are its options.
    known = {
        *("--name", "--release-label", "--applications", "--use-default-roles"),
        *("--instance-groups", "--ebs-root-volume-size", "--bootstrap-actions"),
        *("--configurations", "--steps", "--log-uri", "--auto-terminate"),
    }
    assert {word for word in words if word.startswith("--")} == known
    for word in words:
        if word.startswith("file://"):
            assert (EXAMPLES / "emr" / word.removeprefix("file://")).is_file()
    action = words[words.index("--bootstrap-actions") + 1]
    assert action == "Path=s3://my-bucket/keyframes/bootstrap.sh,Args=[s3://my-bucket/keyframes]"


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("create_cluster.sh", "clusters create"),
        ("submit.sh", "jobs submit pyspark"),
        ("submit_batch.sh", "batches submit pyspark"),
    ],
)
def test_the_commands_of_dataproc_have_options_of_gcloud(cloud, script, command):
    words = called(cloud, f"dataproc/{script}", "gcloud")
    assert words[: 1 + len(command.split())] == ["dataproc", *command.split()]
    assert set(options_of(words)) == GCLOUD[command]


def test_a_task_of_databricks_fails_by_an_exception_only(monkeypatch):
    program = str(EXAMPLES / "databricks" / "run_job.py")
    seen = []

    def main(arguments):
        seen.append(arguments)
        return status

    monkeypatch.setattr(sample, "main", main)
    monkeypatch.setattr(sys, "argv", [program, "sample", "--input", "a.mp4"])
    status = 0
    runpy.run_path(program, run_name="__main__")
    assert seen == [("--input", "a.mp4")]
    status = 3
    with pytest.raises(RuntimeError, match="the job sample failed with exit code 3"):
        runpy.run_path(program, run_name="__main__")


def test_every_job_may_be_a_task_of_databricks():
    for path in (REPO / "jobs").glob("*.py"):
        assert callable(importlib.import_module(f"spark_keyframes.jobs.{path.stem}").main)


@pytest.mark.parametrize("name", ["databricks", "emr", "dataproc"])
def test_the_page_says_that_it_was_not_run_and_names_every_file(name):
    page = (EXAMPLES / name / "README.md").read_text()
    service = {"databricks": "Databricks", "emr": "Amazon EMR", "dataproc": "Dataproc"}[name]
    assert f"**Not run on {service}**" in page.split("\n\n")[1]
    for path in (EXAMPLES / name).iterdir():
        assert path.name == "README.md" or f"]({path.name})" in page, path.name
