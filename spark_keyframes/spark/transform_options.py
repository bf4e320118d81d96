"""The texts of the keywords of `transform`, for docstrings, pages and the ML stage."""

TRANSFORM_OPTIONS = {
    "input_col": "The column of videos: strings, or binary, as `video_src_type` says. A null video "
    "gives a null result.",
    "output_col": "The column to add for the result, struct<tos_paths: array<string>, frame_ids: "
    "array<bigint>, scores: array<float>>: three aligned lists ordered by frame id. With "
    "`return_keyframes`, <output_col>_images beside it holds the images as array<image> in Spark's "
    "image schema (pyspark.ml.image.ImageSchema).",
    "text_col": "A column with a text per row, instead of `text`: string, or array<string> for "
    "several texts, for which each video is decoded once. The result is then an array of the "
    "struct, one for each text, `timestamps_col` an array of arrays, and <output_col>_images the "
    "union by frame id, which is in `origin`. A null text gives a null result.",
    "start_col": "A column with where the part of each video begins that keyframes are chosen "
    "from, in seconds, any numeric type; null: at the start. Frame ids and timestamps stay those "
    "of the whole video. Several parts of a video are several rows.",
    "end_col": "A column with where that part ends, in seconds; the frame at this time is not in "
    "it. null, or a time behind the video's end: at its end. A part that the video does not have "
    "is the row's error.",
    "error_col": "The column to add for why a row failed, struct<stage: string, error: string, "
    "message: string>: null where it succeeded.",
    "account_col": "The column to add for what each video took, failed ones too: see Account. Null "
    "for a null video.",
    "timestamps_col": "The column to add for when each keyframe is shown, array<double>: seconds "
    "from the start of the video, aligned with the struct.",
    "curve_col": "The column to add for the scores of all candidates, struct<timestamps: "
    "array<double>, scores: array<float>>: two aligned lists in order of presentation, in seconds "
    "from the start of the video. With several texts an array of the struct, one for each text. "
    "With `rerank` they are scores of the first model. Null where the video failed or has no text.",
    "made_by_col": "The column to add for what made the result, struct<text: string, model: "
    "string, revision: string, fps: double, max_num_frames: bigint, selector: string, version: "
    "string>; failed rows have it too.",
    "candidates_col": "The column to add for the index of the video, from the same decode: see "
    "`index`. Null where the video failed or has no text.",
    "info_col": "The column to add, with `candidates_col`, for how the index was made.",
    "images": "What the column of images holds, with `return_keyframes`: arrays (pixels in Spark's "
    "image schema) or encoded (array<binary>: files of `img_type`, about a tenth of the size).",
    "on_error": "null: a row that fails has a null result. raise: the job fails.",
    "keep_video": "Keep base64 and binary videos in the result; URLs always stay.",
    "cpus": "The CPUs of each task of this stage, on a cluster; none: as Spark's conf says. A task "
    "decodes and scores on all of them, with one model.",
    "gpus": "1 for a GPU per task, on a cluster whose executors announce theirs; none: as Spark's "
    "conf says. A task without one uses GPU number `rank`, or else its CPUs.",
}
"""The text of each keyword of `transform`."""
