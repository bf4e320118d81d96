# mypy: ignore-errors
# Needs OpenCV, which is installed for the benchmarks only.
"""Decodes with OpenCV: grab every frame in one thread, retrieve candidates as full-size BGR."""

import cv2
from worker import serve


def run(video, fps):
    count, number = 0, 0
    capture = cv2.VideoCapture(video, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    rate = capture.get(cv2.CAP_PROP_FPS)
    while capture.grab():
        if number / rate + 1e-6 >= count / fps:
            capture.retrieve()
            count += 1
        number += 1
    return {"decoded": count}


serve(run)
