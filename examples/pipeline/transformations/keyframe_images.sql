-- keyframes → keyframe_images: a streaming table with a row for each keyframe.
CREATE STREAMING TABLE keyframe_images AS
SELECT
  video,
  keyframe.frame_ids AS frame_id,
  keyframe.timestamps AS timestamp,
  keyframe.scores AS score,
  keyframe.tos_paths AS image
FROM STREAM(keyframes)
LATERAL VIEW explode(
  arrays_zip(result.tos_paths, result.frame_ids, result.scores, timestamps)
) AS keyframe
