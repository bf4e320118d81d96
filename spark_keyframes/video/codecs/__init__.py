"""What the packets of a codec tell without decoding: one file per codec, over plain bytes.

A reader never raises for damaged bytes. What it cannot prove, it leaves to the decoder.
"""
