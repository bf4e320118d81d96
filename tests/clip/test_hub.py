"""model_path="": the real Hub client downloads from a server on loopback."""

import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"

PROGRAM = """
import json, sys
from spark_keyframes import VideoAdaptiveKeyframesSampling
sampler = VideoAdaptiveKeyframesSampling(
    text="spoon", model_path="", clip_model_name=sys.argv[1], max_num_frames=3,
    return_keyframes=False, dtype="float32",
)
try:
    keyframes = sampler.sample(sys.argv[2])
    print(json.dumps([keyframes.frame_ids, keyframes.scores]))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def hub(models):
    """A Hub that has one model, "someone/small"."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.answer(with_body=False)

        def do_GET(self):
            self.answer(with_body=True)

        def answer(self, *, with_body):
            path = self.path.split("?")[0]
            prefix = "/someone/small/resolve/main/"
            file = models / "small" / path.removeprefix(prefix)
            asked.append(path)
            if path.startswith(prefix) and file.is_file():
                self.reply(200, file.read_bytes(), with_body, ETag=f'"{file.stat().st_size}-e"')
            elif path == "/api/models/someone/small":
                self.reply(200, json.dumps({"id": "someone/small", "sha": COMMIT}).encode(), True)
            else:
                known = "/someone/small" in path
                code = "EntryNotFound" if known else "RepoNotFound"
                self.reply(404, b"", with_body, **{"X-Error-Code": code})

        def reply(self, status, body, with_body, **headers):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Repo-Commit", COMMIT)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = asked
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def sample_with_hub(hub, tmp_path, model, video):
    environment = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "no_proxy": "127.0.0.1",
    }
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, model, str(video)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout.strip(), done.stderr


@pytest.mark.slow
def test_downloads_once_and_gives_the_same_frames_as_the_folder(hub, models, clips, tmp_path):
    from spark_keyframes import VideoAdaptiveKeyframesSampling

    local = VideoAdaptiveKeyframesSampling(
        text="spoon",
        model_path=str(models),
        clip_model_name="small",
        max_num_frames=3,
        return_keyframes=False,
        dtype="float32",
    ).sample(str(clips[0]))
    printed, errors = sample_with_hub(hub, tmp_path, "someone/small", clips[0])
    assert printed, errors
    frame_ids, scores = json.loads(printed)
    assert frame_ids == local.frame_ids
    assert scores == pytest.approx(local.scores, abs=1e-6)
    assert any(path.endswith("/model.safetensors") for path in hub.asked)

    hub.asked.clear()
    again, _ = sample_with_hub(hub, tmp_path, "someone/small", clips[0])
    assert again == printed
    downloaded = [path for path in hub.asked if path.endswith("/model.safetensors")]
    assert len(downloaded) <= 1, "at most one HEAD to see that the cache is current"


@pytest.mark.slow
def test_a_model_that_the_hub_does_not_have_is_a_clear_error(hub, clips, tmp_path):
    printed, _ = sample_with_hub(hub, tmp_path, "someone/else", clips[0])
    assert printed.startswith("ModelNotFoundError the Hugging Face Hub gave no model")
    assert "HF_ENDPOINT" in printed
