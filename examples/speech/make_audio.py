"""Writes the example's recording: a minute of gliding vowels, 16 kHz, mono, 16 bits.

Called as `python make_audio.py speech.wav`.
"""

import sys
import wave
from pathlib import Path

import numpy as np

RATE = 16000
SECONDS = 66
HARMONICS = 20
#: first and second formant of five vowels in Hz
VOWELS = np.array([(730, 1090), (530, 1840), (390, 1990), (570, 840), (440, 1020)])
VOWELS_PER_SECOND = 2.5


def samples() -> np.ndarray:
    """A voice without a throat: harmonics of a gliding pitch, weighted by gliding formants.

    Returns:
        [RATE * SECONDS] int16.
    """
    seconds = np.arange(RATE * SECONDS) / RATE
    pitch = 110 + 30 * np.sin(0.7 * seconds) + 12 * np.sin(5.1 * seconds)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    low, high = _formants(seconds)
    voice = np.zeros_like(seconds)
    for n in range(1, HARMONICS + 1):
        weight = _near(n * pitch, low, 120) + 0.5 * _near(n * pitch, high, 180)
        voice += weight * np.sin(n * phase)
    syllable = np.sin(np.pi * (seconds * VOWELS_PER_SECOND % 1)) ** 2
    return np.rint(5000 * syllable * voice).astype("<i2")


def _formants(seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """On the way from one vowel to the next, in an order that does not sound like a scale."""
    position = seconds * VOWELS_PER_SECOND
    this = position.astype(np.int64)
    first, second = VOWELS[this**2 % 7 % 5], VOWELS[(this + 1) ** 2 % 7 % 5]
    between = first + (position % 1)[:, None] * (second - first)
    return between[:, 0], between[:, 1]


def _near(frequency: np.ndarray, formant: np.ndarray, width: float) -> np.ndarray:
    return 1 / (1 + ((frequency - formant) / width) ** 2)


def write(path: Path) -> None:
    """Write the recording as a .wav."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples().tobytes())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
