"""An output folder that cannot work is told on the driver, where it can be known there."""

from dataclasses import replace

import pytest

from spark_keyframes.errors import BucketNotFoundError, CredentialsError, StorageWriteError
from spark_keyframes.storage.tos import tos_storage
from tests.storage.tos_server import TosServer


@pytest.fixture
def tos(monkeypatch):
    monkeypatch.setattr(tos_storage, "_accepted", set())
    with TosServer(buckets=["frames"]) as server:
        server.apply(monkeypatch)
        yield server


@pytest.fixture
def videos(spark, clips):
    return spark.createDataFrame([(str(clips[2]),)], "video string")


@pytest.fixture
def on_a_cluster(monkeypatch):
    """The workers have an environment of their own."""
    monkeypatch.setattr("spark_keyframes.spark.interpreter.is_local", lambda spark: False)


def test_a_mistyped_bucket_is_told_at_once(plain, videos, tos):
    sampler = replace(plain, output_tos_dir="tos://mistyped/out")
    for act in (lambda: sampler.transform(videos), sampler.udf):
        with pytest.raises(BucketNotFoundError, match="no such bucket, tos://mistyped/out"):
            act()
    assert tos.buckets == {"frames"}


@pytest.mark.usefixtures("on_a_cluster")
def test_a_mistyped_bucket_is_told_on_the_driver_of_a_cluster(plain, videos, tos):
    with pytest.raises(BucketNotFoundError, match="no such bucket"):
        replace(plain, output_tos_dir="tos://mistyped/out").transform(videos)


def test_a_bucket_that_is_there_gets_an_empty_object(plain, videos, tos):
    replace(plain, output_tos_dir="tos://frames/out").transform(videos)
    assert tos.objects == {("frames", "out/.spark_keyframes_check"): b""}


def test_what_the_driver_may_not_write_is_told_at_once(plain, videos, tos, monkeypatch):
    tos.denied.add("out/")
    with pytest.raises(CredentialsError, match="AccessDenied"):
        replace(plain, output_tos_dir="tos://frames/out").transform(videos)
    monkeypatch.setenv("HADOOP_HOME", "/none")
    monkeypatch.setenv("ARROW_LIBHDFS_DIR", "/none")
    monkeypatch.setenv("JAVA_HOME", "/none")
    with pytest.raises(StorageWriteError, match=r"could not store hdfs://none\.invalid/out"):
        replace(plain, output_tos_dir="hdfs://none.invalid/out").transform(videos)


@pytest.mark.usefixtures("on_a_cluster")
def test_on_a_cluster_the_workers_may_have_other_keys_and_disks(
    plain, videos, tos, tmp_path, caplog
):
    tos.denied.add("out/")
    replace(plain, output_tos_dir="tos://frames/out").transform(videos)
    assert "AccessDenied" in caplog.text
    assert "(on the driver; each task will check it again)" in caplog.text
    replace(plain, output_tos_dir=str(tmp_path / "out")).transform(videos)
    assert list(tmp_path.iterdir()) == [], "the workers' disks may be others"


def test_a_folder_on_this_machine_is_made(plain, videos, tmp_path):
    replace(plain, output_tos_dir=str(tmp_path / "a" / "out")).transform(videos)
    (path,) = (tmp_path / "a" / "out").iterdir()
    assert path.name == ".spark_keyframes_check"
