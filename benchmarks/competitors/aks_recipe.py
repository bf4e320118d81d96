# mypy: ignore-errors
# Needs decord, which is installed for the benchmarks only.
"""Samples as the published AKS code does: decord, one frame per forward pass, float32."""

import numpy as np
import torch
from decord import VideoReader, cpu
from PIL import Image
from transformers import CLIPModel, CLIPProcessor
from worker import answer, arguments, serve

options = arguments()
model = CLIPModel.from_pretrained(options.model).eval()
processor = CLIPProcessor.from_pretrained(options.model)
cosine = torch.nn.CosineSimilarity()


@torch.inference_mode()
def run(video, fps):
    texts = processor(text=[options.text], return_tensors="pt", padding=True, truncation=True)
    text = model.get_text_features(**texts).pooler_output
    reader = VideoReader(video, ctx=cpu(0), num_threads=1)
    step = int(reader.get_avg_fps() / fps)
    frame_ids, scores = list(range(0, len(reader), step)), []
    for frame_id in frame_ids:
        image = Image.fromarray(np.array(reader[frame_id].asnumpy()))
        inputs = processor(images=image, return_tensors="pt", padding=True)
        scores.append(cosine(text, model.get_image_features(**inputs).pooler_output).item())
    return answer(frame_ids, scores, options.frames)


serve(run)
