"""One table whose videos are in several storages, and whose images go to another."""

from dataclasses import replace

import pandas as pd

from tests.storage.web_server import answer


def test_a_table_may_mix_schemes(plain, clips, web, tos, faulty_s3, monkeypatch):
    tos.apply(monkeypatch)  # its proxy, which the other fixtures remove
    data = clips[0].read_bytes()
    s3 = faulty_s3.s3.client
    s3.put_object(Bucket="films", Key="a.mp4", Body=data)
    tos.objects["bucket", "a.mp4"] = data
    web.paths["/a.mp4"] = [answer(body=data)]
    urls = [
        f"{web.url}/a.mp4",
        clips[0].as_uri(),
        str(clips[0]),
        "tos://bucket/a.mp4",
        "s3://films/a.mp4",
        "s3a://films/a.mp4",
        "s3n://films/none.mp4",
    ]
    to = replace(plain, output_tos_dir="s3a://films/out")
    found = to.transform(pd.DataFrame({"video": urls}), error_col="why")
    assert list(found["video"]) == urls
    *good, missing = found.itertuples()
    wanted = plain.sample(str(clips[0]))
    stored = set()
    for row in good:
        assert row.why is None, row
        assert list(row.keyframes["frame_ids"]) == wanted.frame_ids
        stored |= set(row.keyframes["tos_paths"])
    assert missing.keyframes is None
    assert missing.why["error"] == "SourceNotFoundError"
    assert len(stored) == len(good) * len(wanted.frame_ids)
    keys = {key for key in faulty_s3.s3.keys("films") if key.endswith(".jpg")}
    assert stored == {f"s3a://films/{key}" for key in keys}
