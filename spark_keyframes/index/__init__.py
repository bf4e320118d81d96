"""The index of a video: its candidates and their embeddings, as a column, and what is asked of it.

Everything here is a function of plain values.
"""

from spark_keyframes.index.best_hits import BestHits, Hit
from spark_keyframes.index.candidates_column import candidates_array, read_candidates
from spark_keyframes.index.moments import best_moments
from spark_keyframes.index.question import Question

__all__ = ["BestHits", "Hit", "Question", "best_moments", "candidates_array", "read_candidates"]
