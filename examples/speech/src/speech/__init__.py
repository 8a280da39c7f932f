"""Answers about a recording: Voxtral in three models, compiled to Windows DLLs.

`Voxtral().answer("speech.wav", "Describe.")` gives token ids.

Needs numpy and, as the models speak bfloat16, ml_dtypes. torch is needed only where the models were
built over it (`runtime = "torch"`).
"""

from __future__ import annotations

import os
import wave
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

__all__ = ["Voxtral", "log_mel", "prompt", "read_wave"]

RATE, WINDOW, HOP = 16000, 400, 160
CHUNKS, MEL_BINS, FRAMES = 3, 128, 3000
#: control tokens of the published tokenizer, after which it has the 256 bytes
BEGIN, END, ASK, ASKED, AUDIO, BEGIN_AUDIO, BYTES = 1, 2, 3, 4, 24, 25, 1000


class Voxtral:
    """The three models, loaded. The decoder remembers one sequence: use it from one thread."""

    def __init__(self) -> None:
        from speech import audio_encoder, text_decoder, token_embedding

        self._audio_encoder = _over_numpy(audio_encoder.load())
        self._token_embedding = _over_numpy(token_embedding.load())
        self._text_decoder = _over_numpy(text_decoder.load())

    def answer(
        self, recording: str | os.PathLike[str], question: str, max_tokens: int = 10
    ) -> list[int]:
        """Answer greedily.

        Args:
            recording: a .wav with 16 kHz, mono, 16 bits, of up to 90 s.
            question: what to ask about it.
            max_tokens: how many tokens to generate at most.

        Returns:
            Token ids; the last one is 2 where the answer ended by itself.
        """
        audio = self._audio_encoder(log_mel(read_wave(recording)))
        ids = prompt(question, audio.shape[1])
        embeddings = self._token_embedding(ids)
        embeddings[ids == AUDIO] = audio[0]
        # numpy's own integers have 32 bits on Windows, before its version 2.
        places = np.arange(ids.shape[1], dtype=np.int64)
        tokens: list[int] = []
        while True:
            logits = self._text_decoder(embeddings, places)
            tokens.append(int(logits[0, -1].astype(np.float32).argmax()))
            if tokens[-1] == END or len(tokens) >= max_tokens:
                return tokens
            embeddings = self._token_embedding(np.array([tokens[-1:]], dtype=np.int64))
            places = places[-1:] + 1


def prompt(question: str, audio_tokens: int) -> np.ndarray:
    """Token ids with places for the audio, [1, tokens] int64; the question byte by byte."""
    letters = [BYTES + byte for byte in question.encode()]
    ids = [BEGIN, ASK, BEGIN_AUDIO, *[AUDIO] * audio_tokens, *letters, ASKED]
    return np.array([ids], dtype=np.int64)


def read_wave(path: str | os.PathLike[str]) -> np.ndarray:
    """The samples of a .wav with 16 kHz, mono, 16 bits: [samples] float32 between -1 and 1."""
    with wave.open(os.fspath(path), "rb") as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise ValueError(f"{path} must have 16 kHz, one channel and 16 bits")
        data = file.readframes(file.getnframes())
    return np.frombuffer(data, "<i2").astype(np.float32) / 32768


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Log-mel frames as Whisper's encoder takes them: [3, 128, 3000] float32 of up to 90 s."""
    room = CHUNKS * FRAMES * HOP
    if len(samples) > room:
        raise ValueError("the recording is longer than 90 s")
    padded = np.pad(np.pad(samples, (0, room - len(samples))), WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[:-1:HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    power = np.abs(np.fft.rfft(windows * hann)) ** 2
    frames = np.log10(np.maximum(_mel_filters() @ power.T, 1e-10))
    frames = (np.maximum(frames, frames.max() - 8) + 4) / 4
    chunks = frames.reshape(MEL_BINS, CHUNKS, FRAMES).transpose(1, 0, 2)
    return np.ascontiguousarray(chunks, dtype=np.float32)


def _mel_filters() -> np.ndarray:
    """Slaney's triangles of equal area over 0 to 8 kHz: [128, 201] float64."""

    def hertz(mel: np.ndarray) -> np.ndarray:
        return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))

    edges = hertz(np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), MEL_BINS + 2))
    left, middle, right = (edges[i : i + MEL_BINS, None] for i in range(3))
    frequency = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    up, down = (frequency - left) / (middle - left), (right - frequency) / (right - middle)
    return np.maximum(np.minimum(up, down), 0) * 2 / (right - left)


def _over_numpy(model: Any) -> Callable[..., np.ndarray]:
    """A model as a function of arrays; one over torch takes tensors and gives one."""
    if model.manifest["runtime"] != "torch":
        return model
    import torch

    def tensor(array: np.ndarray) -> torch.Tensor:
        if array.dtype == ml_dtypes.bfloat16:
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)

    def call(*arrays: np.ndarray) -> np.ndarray:
        result = model(*map(tensor, arrays))
        # All three models give bfloat16.
        return result.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)

    return call
