# mypy: ignore-errors
# Needs daft, which is installed for the benchmarks only.
"""Samples with Daft: its own video reader at one frame a second, a class UDF for CLIP."""

import av
import daft
from daft import DataType, col
from worker import answer, arguments, serve

BATCH = 16

options = arguments()


@daft.cls(max_concurrency=1)
class Clip:
    def __init__(self, model_path, text, half):
        import torch
        from transformers import CLIPModel, CLIPProcessor

        self.torch, self.half = torch, half
        self.model = CLIPModel.from_pretrained(model_path).eval()
        self.processor = CLIPProcessor.from_pretrained(model_path)
        texts = self.processor(text=[text], return_tensors="pt", padding=True)
        with torch.inference_mode():
            embedding = self.model.get_text_features(**texts).pooler_output
        self.text = torch.nn.functional.normalize(embedding)

    @daft.method.batch(return_dtype=DataType.float32(), batch_size=BATCH)
    def score(self, images):
        torch = self.torch
        inputs = self.processor(images=images.to_pylist(), return_tensors="pt")
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            features = self.model.get_image_features(**inputs).pooler_output
        features = torch.nn.functional.normalize(features.float())
        return (features @ self.text.T)[:, 0].tolist()


clip = Clip(options.model, options.text, options.precision == "bfloat16")


def run(video, fps):
    with av.open(video) as container:
        stream = container.streams.video[0]
        height, width, rate = stream.height, stream.width, float(stream.average_rate)
    frames = daft.read_video_frames(
        video, image_height=height, image_width=width, sample_interval_seconds=1 / fps
    )
    rows = frames.select("frame_time", clip.score(col("data")).alias("score")).to_pydict()
    order = sorted(range(len(rows["score"])), key=rows["frame_time"].__getitem__)
    frame_ids = [round(rows["frame_time"][n] * rate) for n in order]
    return answer(frame_ids, [rows["score"][n] for n in order], options.frames)


serve(run)
