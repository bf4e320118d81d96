# mypy: ignore-errors
# Needs ray, which is installed for the benchmarks only.
"""Samples with Ray Data: its own video reader at one frame a second, map_batches, a CLIP actor."""

import os

import ray
from worker import answer, arguments, serve

BATCH = 16

options = arguments()
cores = len(os.sched_getaffinity(0))
ray.init(num_cpus=cores, include_dashboard=False, configure_logging=False)


class Clip:
    def __init__(self, model_path, text, half, threads):
        import torch
        from transformers import CLIPModel, CLIPProcessor

        torch.set_num_threads(threads)  # Ray gives an actor of one CPU a single thread
        self.torch, self.half = torch, half
        self.model = CLIPModel.from_pretrained(model_path).eval()
        self.processor = CLIPProcessor.from_pretrained(model_path)
        texts = self.processor(text=[text], return_tensors="pt", padding=True)
        with torch.inference_mode():
            embedding = self.model.get_text_features(**texts).pooler_output
        self.text = torch.nn.functional.normalize(embedding)

    def __call__(self, batch):
        torch = self.torch
        inputs = self.processor(images=list(batch["frame"]), return_tensors="pt")
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            features = self.model.get_image_features(**inputs).pooler_output
        features = torch.nn.functional.normalize(features.float())
        scores = (features @ self.text.T)[:, 0]
        return {"frame_index": batch["frame_index"], "score": scores.numpy()}


def run(video, fps):
    # read_videos takes whole numbers of frames per second
    frames = ray.data.read_videos(video, fps=int(fps))
    scored = frames.map_batches(
        Clip,
        fn_constructor_args=(options.model, options.text, options.precision == "bfloat16", cores),
        batch_size=BATCH,
        concurrency=1,
    )
    rows = sorted((row["frame_index"], row["score"]) for row in scored.take_all())
    return answer([row[0] for row in rows], [row[1] for row in rows], options.frames)


serve(run)
