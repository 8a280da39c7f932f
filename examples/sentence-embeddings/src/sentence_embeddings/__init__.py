"""Sentences to vectors: all-MiniLM-L6-v2, compiled to a Windows DLL.

from sentence_embeddings import embed
vectors = embed(["How do I reset my password?", "The weather is fine."])   # [2, 384]

Needs numpy and tokenizers, not torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["embed", "tokenize"]

MAX_TOKENS = 256


def embed(sentences: Sequence[str]) -> np.ndarray:
    """Vectors of length 1, one a sentence: their dot product is the cosine similarity.

    Args:
        sentences: at least one; what is longer than 256 tokens is cut.

    Returns:
        [len(sentences), 384] float32.
    """
    from sentence_embeddings.encoder import model

    return model(*tokenize(sentences))


def tokenize(sentences: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and attention mask, both [len(sentences), tokens] int64."""
    encodings = _tokenizer().encode_batch(list(sentences))
    ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
    mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)
    return ids, mask


@cache
def _tokenizer() -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(__file__).with_name("tokenizer.json")))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return tokenizer
