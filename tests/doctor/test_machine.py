"""The machine: CPUs, threads, memory, temporary files, GPUs, codecs, decoding."""

import os
import resource
import subprocess
import sys
import tempfile

import pytest

from spark_keyframes.clip import precision
from spark_keyframes.doctor import system
from spark_keyframes.doctor.checks import cpu as cpu_check
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.registry import BY_MODULE
from spark_keyframes.doctor.supervisor import supervised


def test_a_cpu_with_bfloat16_is_good_and_one_without_a_note(line, monkeypatch):
    monkeypatch.setattr(cpu_check, "allowed_cpus", lambda: None)
    is_there = precision.cpu_multiplies_bfloat16()
    assert line("cpu")[1] == ("good" if is_there else "note")
    monkeypatch.setattr(cpu_check, "cpu_multiplies_bfloat16", lambda: not is_there)
    _, level, found, _ = line("cpu")
    assert level == ("note" if is_there else "good")
    assert f"{len(os.sched_getaffinity(0))} × " in found


def test_a_quota_below_the_cpus_is_a_note(lines, monkeypatch, tmp_path):
    cpus = len(os.sched_getaffinity(0))
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    monkeypatch.setattr(cpu_check, "allowed_cpus", lambda: system.allowed_cpus(tmp_path))
    (found,) = [each for each in lines("cpu") if each[0] == "CPU quota"]
    assert found[1] == "note"
    assert f"may use 0.5 CPUs, and sees {cpus}" in found[2]
    assert "OMP_NUM_THREADS=1" in found[3]


def test_quotas_of_both_kinds_of_groups(tmp_path):
    assert system.allowed_cpus(tmp_path) is None
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert system.allowed_cpus(tmp_path) is None
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    for name, value in (("cpu.cfs_quota_us", "150000"), ("cpu.cfs_period_us", "100000")):
        (tmp_path / "cpu" / name).write_text(value)
    assert system.allowed_cpus(tmp_path) == 1.5


CPUS = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("given", "in_task", "level", "said"),
    [
        (None, False, "good", f"{CPUS} for sample()"),
        ("1", False, "note" if CPUS > 1 else "good", "1"),
        (str(CPUS + 1), False, "note", f"there are {CPUS} CPUs"),
        ("all", False, "note", "no number"),
        ("1", True, "good", f"1 of {CPUS} CPUs for each task"),
        (None, True, "note", f"each takes all {CPUS} CPUs"),
        (str(CPUS + 1), True, "note", "in a task"),
    ],
)
def test_omp_num_threads(line, monkeypatch, given, in_task, level, said):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    _, found_level, found, advice = line("threads", in_task=in_task)
    assert found_level == level
    assert said in found
    assert bool(advice) == (level != "good")


def test_threads_that_wait_busily_are_bad(lines, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [each[1] for each in lines("threads")] == ["bad", "good"]


def test_memory_is_counted_and_shared(line):
    name, level, found, _ = line("memory")
    assert name == "memory"
    assert level in ("good", "note")  # the machine may be busy
    assert "free; a task or sample() takes up to" in found


def test_a_container_s_limit_counts(tmp_path):
    total, free = system.memory(tmp_path)
    assert total >= free > 0
    (tmp_path / "memory.max").write_text("1000000000\n")
    (tmp_path / "memory.current").write_text("900000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 50000000\n")
    assert system.memory(tmp_path) == (1_000_000_000, 150_000_000)


def test_too_little_memory_is_a_note(lines, monkeypatch):
    from spark_keyframes.doctor.checks import memory

    monkeypatch.setattr(memory, "memory", lambda: (2_000_000_000, 500_000_000))
    _, level, found, advice = lines("memory")[-1]
    assert level == "note"
    assert found.startswith("0.5 GB of 2.0 GB free")
    assert "fewer tasks" in advice


CHECK = """
from spark_keyframes.doctor.checks.{0} import check
from spark_keyframes.doctor.options import Options
{1}
for each in check(Options()):
    print(each.name, each.level, each.found, each.advice)
"""


def alone(module, *lines):
    """Run a check in a Python of its own, after these lines; return what it printed."""
    program = CHECK.format(module, "\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def limit(kind, value):
    return f"import resource; resource.setrlimit(resource.{kind}, ({value}, {value}))"


def test_a_limit_of_memory_that_no_frame_fits_is_bad():
    lines = ["taken = [line for line in open('/proc/self/status') if line.startswith('VmSize')]"]
    lines += ["most = int(taken[0].split()[1]) * 1024 + (50 << 20)", limit("RLIMIT_AS", "most")]
    found = alone("memory", *lines)
    assert "shared memory bad a frame of 8K, 106 MB, cannot be shared" in found
    assert "ulimit -v" in found


def test_temporary_files_can_be_written(line):
    name, level, found, _ = line("temporary")
    assert name == "temporary files"
    assert level in ("good", "note")  # the disk may be nearly full
    assert found.startswith(f"{tempfile.gettempdir()} has ")


def test_a_folder_that_takes_no_4_mb_is_bad(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    found = alone("temporary", limit("RLIMIT_FSIZE", 1 << 20))
    assert f"temporary files bad {tmp_path} does not take 4 MB: File too large" in found
    assert "set TMPDIR to a folder on a larger disk" in found


def test_a_tmpdir_that_is_not_there_is_a_note(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    found = alone("temporary")
    assert "temporary files note TMPDIR is /nonexistent, which cannot be used; /" in found


def test_a_full_tmpfs_is_bad(line, tmp_path, monkeypatch):
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "doctor", str(tmp_path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small file system")
    try:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        assert line("temporary")[1:3] == (
            "bad",
            f"{tmp_path} does not take 4 MB: No space left on device",
        )
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_no_folder_for_temporary_files_is_bad(line, monkeypatch):
    def none():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert line("temporary")[1] == "bad"


def test_no_gpu_is_no_fault(line, monkeypatch, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    monkeypatch.setenv("PATH", str(tmp_path))
    _, level, found, _ = line("gpu")
    assert level == "good"
    assert found.startswith("none: CLIP computes on the CPU")


def test_a_gpu_that_torch_does_not_find_is_bad(line, program, monkeypatch):
    import torch

    if torch.cuda.is_available():
        pytest.skip("torch finds the GPU")
    program("nvidia-smi", "echo 'NVIDIA H200, 570.86'")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _, level, found, advice = line("gpu")
    assert level == "bad"
    assert "1 GPU(s) with the driver (NVIDIA H200, 570.86), but torch" in found
    assert advice
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert line("gpu")[1] == "note"
    _, level, found, _ = line("gpu", assigned_gpus=("3",))
    assert level == "bad"
    assert "Spark assigned GPU 3, but torch" in found


@pytest.mark.gpu
def test_a_gpu_computes(lines):
    assert {each[1] for each in lines("gpu")} == {"good"}


def test_the_common_codecs_are_fast(lines):
    (_, first, fast, _), (_, second, slow, _) = lines("codecs")
    assert (first, second) == ("good", "good")
    assert all(name in fast for name in ("H.264", "HEVC", "AV1", "VP9", "VP8"))
    assert "WMV 9" in slow


def test_a_missing_codec_is_bad(lines, monkeypatch):
    import av.codec
    from av.codec.codec import UnknownCodecError

    real = av.codec.Codec

    def some(name, mode):
        if name == "libdav1d":
            raise UnknownCodecError(name)
        return real(name, mode)

    monkeypatch.setattr(av.codec, "Codec", some)
    name, level, found, advice = lines("codecs")[0]
    assert (name, level) == ("codecs", "bad")
    assert "cannot decode AV1" in found
    assert "PyAV's own wheel" in advice


def test_a_drawn_video_is_decoded_in_a_process(line):
    name, level, found, _ = line("decoding")
    assert (name, level) == ("decoding", "good"), found


def test_where_no_process_can_decode_is_bad():
    program = '("-c", "raise SystemExit(7)")'
    found = alone(
        "decoding",
        "from spark_keyframes.video.process import decode_process",
        f"decode_process._PROGRAM = {program}",
    )
    assert found.startswith("decoding bad a drawn H.264 video of 1 s cannot be decoded")
    assert "exit code 7" in found


def test_a_check_has_its_own_process():
    """What it sets, such as a limit, does not stay."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    names = [each.name for each in supervised([BY_MODULE["threads"]], Options())]
    assert "threads" in names
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
