"""Keys and signed URLs must not appear in plans, closures, logs, event logs, errors or images."""

import json
import pickle
import traceback
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_keyframes import KeyframesError
from tests.planted_secrets import examples, shown
from tests.spark.cluster import Cluster
from tests.storage.tos_server import TosServer

KEYS = {"access_key": "AKLT-abcdef", "secret_key": "c2VjcmV0a2V5", "security_token": "STS-ghijkl"}
USER, PASSWORD, SIGNATURE = "alice-mnop", "pa55-qrst", "5ca1ab1e"
"""The secrets of signed URLs."""
SECRETS = (*KEYS.values(), USER, PASSWORD, SIGNATURE, "X-Tos-Signature")


def found_in(text):
    """Return the secrets in a text or in bytes."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return [secret for secret in SECRETS if secret.encode() in data]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def tos(clips):
    with TosServer(buckets=["films"], **KEYS) as server:
        server.objects["films", "in/a.mp4"] = clips[2].read_bytes()
        yield server


@pytest.fixture(scope="module")
def signed(clips, tmp_path_factory):
    """Name → its URL with user, password and signature. "a.mp4" is a video, "b.mp4" is not."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "a.mp4").write_bytes(clips[2].read_bytes())
    (folder / "b.mp4").write_bytes(b"no video at all" * 50)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        place = f"http://{USER}:{PASSWORD}@127.0.0.1:{server.server_port}"
        yield lambda name: f"{place}/{name}?X-Tos-Signature={SIGNATURE}"
        server.shutdown()


@pytest.fixture(scope="module")
def urls(signed):
    refused = signed("a.mp4").replace("127.0.0.1:", "127.0.0.1:1")[:-1] + SIGNATURE[-1]
    return {
        "good": signed("a.mp4"),
        "no video": signed("b.mp4"),
        "not found": signed("c.mp4"),
        "bad port": refused,
        "not valid": f"http://{USER}:{PASSWORD}@[bad/a.mp4?X-Tos-Signature={SIGNATURE}",
        "bad scheme": f"gopher://{USER}:{PASSWORD}@host/a.mp4?X-Tos-Signature={SIGNATURE}",
        "in tos": "tos://films/in/a.mp4",
        "not in tos": "tos://films/in/none.mp4",
    }


FAILS = {"no video", "not found", "bad port", "not valid", "bad scheme", "not in tos"}


def test_exceptions_hold_no_secrets(plain, urls, tos, monkeypatch):
    tos.apply(monkeypatch)
    for name in FAILS:
        with pytest.raises(KeyframesError) as caught:
            plain.sample(urls[name])
        error = caught.value
        shown = [str(error), repr(error), *map(str, error.args)]
        shown.append("".join(traceback.format_exception(error)))
        assert found_in("\n".join(shown)) == [], name
        assert found_in(pickle.dumps(error)) == [], name


def test_a_refusal_holds_no_key(plain, tos, monkeypatch):
    tos.apply(monkeypatch)
    monkeypatch.setenv("SECRET_KEY", "another-secret")
    with pytest.raises(KeyframesError, match="refused") as caught:
        plain.sample("tos://films/in/a.mp4")
    text = "".join(traceback.format_exception(caught.value))
    assert found_in(text) == []
    assert "another-secret" not in text


def test_plans_and_closures_hold_no_secrets(spark, sampler, urls, tos, monkeypatch):
    tos.apply(monkeypatch)
    stored = replace(sampler, output_tos_dir="tos://films/keyframes")
    frame = spark.createDataFrame(pa.table({"video": list(urls.values())}))
    result = stored.transform(frame, error_col="error", account_col="account")
    execution = result._jdf.queryExecution()
    plans = [execution.toString(), execution.logical().toJSON(), execution.executedPlan().toJSON()]
    plans += [execution.explainString(_mode(spark, mode)) for mode in ("extended", "formatted")]
    with_udf = frame.select(replace(stored, return_keyframes=False).udf()("video"))
    plans.append(with_udf._jdf.queryExecution().toString())
    for plan in plans:
        assert found_in(plan) == []
    command = execution.analyzed().functionExpr().func().command()
    as_java = spark._jvm.scala.jdk.javaapi.CollectionConverters.asJava
    closure = bytes(byte & 255 for byte in as_java(command))
    assert b"ArrowStage" in closure, "this is the pickled stage"
    assert found_in(closure) == []


def _mode(spark, name):
    return spark._jvm.org.apache.spark.sql.execution.ExplainMode.fromString(name)


@pytest.fixture(scope="module")
def cluster(tos, tmp_path_factory):
    """A cluster whose workers have no keys. Each job brings them, as on a real cluster."""
    environment = dict.fromkeys(tos.environment, "")
    with Cluster(tmp_path_factory.mktemp("cluster"), environment=environment) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def job(cluster, tos, models, tmp_path_factory):
    """Run the job with keys in its environment, and return status, output and event log."""
    events = tmp_path_factory.mktemp("events")

    def run(*arguments, keys=()):
        before = set(events.rglob("*"))
        conf = {f"spark.executorEnv.{name}": value for name, value in dict(keys).items()}
        conf |= {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.compress": "false",
            "spark.eventLog.dir": f"file://{events}",
            "spark.cores.max": "1",
        }
        cluster.environment.update(tos.environment)
        process = cluster.submit(
            *("--model-path", str(models), "--clip-model-name", "small", "--text", "spoon"),
            *("--fps", "2", "--max-num-frames", "1", *arguments),
            conf=conf,
        )
        output, _ = process.communicate(timeout=300)
        files = [path for path in set(events.rglob("*")) - before if path.is_file()]
        assert files
        return process.returncode, output, b"".join(path.read_bytes() for path in files)

    return run


def logs_of(cluster):
    return {path: path.read_bytes() for path in cluster.logs.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_job_on_a_cluster_leaves_no_secrets(job, cluster, tos, urls, tmp_path):
    table = tmp_path / "urls.parquet"
    pq.write_table(pa.table({"url": list(urls.values())}), table)
    status, output, events = job(
        *("--input", str(table), "--input-col", "url", "--error-col", "why"),
        *("--output-tos-dir", "tos://films/keyframes", "--output", str(tmp_path / "out")),
        *("--images", "arrays"),
        keys=tos.environment,
    )
    assert status == 0, output
    assert f"videos     8: 2 with keyframes, {len(FAILS)} failed" in output
    assert found_in(output) == []

    assert b"spark.executorEnv.SECRET_KEY" in events
    assert found_in(events) == []

    logs = logs_of(cluster)
    assert any(b"Running task" in log for path, log in logs.items() if path.name == "stderr")
    assert any(b"no keyframes (open, " in log for log in logs.values()), "the workers' warnings"
    assert {path: found_in(log) for path, log in logs.items() if found_in(log)} == {}

    rows = pq.read_table(tmp_path / "out").to_pylist()
    assert sorted(row["url"] for row in rows) == sorted(urls.values()), "they are the user's data"
    failed = {name for name in urls for row in rows if row["url"] == urls[name] and row["why"]}
    assert failed == FAILS
    for row in rows:
        assert found_in(json.dumps(row["why"])) == []
        assert found_in(json.dumps(row["keyframes"])) == []
        for image in row["keyframes_images"] or ():
            assert found_in(image["origin"]) == []
            assert found_in(image["data"]) == []
    stored = {key: data for (_, key), data in tos.images.items() if key.startswith("keyframes/")}
    assert len(stored) == 2
    for key, data in stored.items():
        assert found_in(key) == found_in(data) == []


@pytest.mark.slow
def test_planted_secrets_are_in_no_log_of_a_job(job, cluster, tmp_path):
    values = examples(300)
    table = tmp_path / "urls.parquet"  # read by the job, so that no plan holds its rows
    number = [str(each) for each in range(len(values))]
    pq.write_table(pa.table({"number": number, "url": [each.text for each in values]}), table)
    before = {path: len(log) for path, log in logs_of(cluster).items()}
    status, output, events = job(
        *("--input", str(table), "--input-col", "url", "--id-col", "number"),
        *("--allowed-hosts", "127.0.0.1", "--slow-seconds", "0.000001"),
        *("--output", str(tmp_path / "out"), "--videos-per-batch", "100"),
    )
    assert status == 1, "no video succeeded"
    assert f"{len(values)} failed" in output
    logs = [log[before.get(path, 0) :] for path, log in logs_of(cluster).items()]
    warnings = b"".join(logs).decode(errors="replace")
    assert "no keyframes (open, " in warnings
    assert "slow video" in warnings
    assert shown(values, output, events.decode(errors="replace"), warnings) == set()
    rows = {int(row["number"]): row for row in pq.read_table(tmp_path / "out").to_pylist()}
    assert len(rows) == len(values)
    assert {row["error"]["error"] for row in rows.values()} >= {
        "AccessError",
        "SourceNotFoundError",
        "SourceReadError",
    }
    for number, value in enumerate(values):
        assert not value.shown_in(rows[number]["error"]["message"]), value


@pytest.mark.slow
def test_a_signed_url_on_the_command_line_is_in_no_log(job, cluster, urls, tmp_path):
    status, output, events = job(
        *("--input", urls["not found"], "--on-error", "raise", "--img-type", ".png"),
        *("--output", str(tmp_path / "out"), "--max-failures", "0"),
    )
    assert status == 1
    assert "HttpStatusError: row 0 of partition" in output
    assert "c.mp4" in output, "which video"
    assert found_in(output) == []
    assert b"sun.java.command" in events, "it has the whole command line, but for the redaction"
    assert found_in(events) == []
    assert {path: found_in(log) for path, log in logs_of(cluster).items() if found_in(log)} == {}
    assert list(tmp_path.iterdir()) == [], "no table, and none beside it"
