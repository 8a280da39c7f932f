"""Answers about a recording: Voxtral in three models, compiled to Windows DLLs.

`Voxtral().answer("speech.wav", "Describe.")` gives token ids.
"""

from __future__ import annotations

import os
import wave
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["Voxtral", "log_mel", "prompt", "read_wave"]

RATE, WINDOW, HOP = 16000, 400, 160
CHUNKS, MEL_BINS, FRAMES = 3, 128, 3000
#: control tokens of the published tokenizer, after which it has the 256 bytes
BEGIN, END, ASK, ASKED, AUDIO, BEGIN_AUDIO, BYTES = 1, 2, 3, 4, 24, 25, 1000


class Voxtral:
    """The three models, loaded. The decoder remembers one sequence: use it from one thread."""

    def __init__(self) -> None:
        from speech import audio_encoder, text_decoder, token_embedding

        self._audio_encoder = audio_encoder.load()
        self._token_embedding = token_embedding.load()
        self._text_decoder = text_decoder.load()

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
        import torch

        audio = self._audio_encoder(log_mel(read_wave(recording)))
        ids = prompt(question, audio.shape[1])
        embeddings = self._token_embedding(ids)
        embeddings[ids == AUDIO] = audio[0]
        places = torch.arange(ids.shape[1])
        tokens: list[int] = []
        while True:
            logits = self._text_decoder(embeddings, places)
            tokens.append(int(logits[0, -1].argmax()))
            if tokens[-1] == END or len(tokens) >= max_tokens:
                return tokens
            embeddings = self._token_embedding(torch.tensor([tokens[-1:]]))
            places = places[-1:] + 1


def prompt(question: str, audio_tokens: int) -> torch.Tensor:
    """Token ids with places for the audio, [1, tokens] int64; the question byte by byte."""
    import torch

    letters = [BYTES + byte for byte in question.encode()]
    return torch.tensor([[BEGIN, ASK, BEGIN_AUDIO, *[AUDIO] * audio_tokens, *letters, ASKED]])


def read_wave(path: str | os.PathLike[str]) -> torch.Tensor:
    """The samples of a .wav with 16 kHz, mono, 16 bits: [samples] float32 between -1 and 1."""
    import torch

    with wave.open(os.fspath(path), "rb") as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise ValueError(f"{path} must have 16 kHz, one channel and 16 bits")
        data = bytearray(file.readframes(file.getnframes()))
    return torch.frombuffer(data, dtype=torch.int16).float() / 32768


def log_mel(samples: torch.Tensor) -> torch.Tensor:
    """Log-mel frames as Whisper's encoder takes them: [3, 128, 3000] float32 of up to 90 s."""
    import torch

    room = CHUNKS * FRAMES * HOP
    if len(samples) > room:
        raise ValueError("the recording is longer than 90 s")
    padded = torch.nn.functional.pad(samples, (0, room - len(samples)))
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(padded, WINDOW, HOP, window=window, return_complex=True)[:, :-1]
    frames = (_mel_filters() @ spectrum.abs().square()).clamp(min=1e-10).log10()
    frames = (frames.maximum(frames.max() - 8) + 4) / 4
    return frames.reshape(MEL_BINS, CHUNKS, FRAMES).transpose(0, 1).contiguous()


def _mel_filters() -> torch.Tensor:
    """Slaney's triangles of equal area over 0 to 8 kHz: [128, 201] float32."""
    import torch

    def hertz(mel: torch.Tensor) -> torch.Tensor:
        return torch.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))

    top = 15 + 27 * torch.tensor(8.0, dtype=torch.float64).log() / torch.tensor(6.4).double().log()
    edges = hertz(torch.linspace(0, 1, MEL_BINS + 2, dtype=torch.float64) * top)
    left, middle, right = (edges[i : i + MEL_BINS, None] for i in range(3))
    frequency = torch.linspace(0, RATE / 2, WINDOW // 2 + 1, dtype=torch.float64)
    up, down = (frequency - left) / (middle - left), (right - frequency) / (right - middle)
    triangles = torch.minimum(up, down)
    return (triangles.clamp(min=0) * 2 / (right - left)).float()
