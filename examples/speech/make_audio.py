"""Writes the example's recording: a minute of gliding vowels, 16 kHz, mono, 16 bits.

python make_audio.py speech.wav
"""

import array
import math
import sys
import wave
from pathlib import Path

RATE = 16000
SECONDS = 66
#: first and second formant of five vowels in Hz
VOWELS = ((730, 1090), (530, 1840), (390, 1990), (570, 840), (440, 1020))


def samples() -> array.array:
    """A voice without a throat: harmonics of a gliding pitch, weighted by gliding formants."""
    result, phase = array.array("h"), 0.0
    for index in range(SECONDS * RATE):
        seconds = index / RATE
        position = seconds * 2.5
        low, high = _formants(position)
        pitch = 110 + 30 * math.sin(0.7 * seconds) + 12 * math.sin(5.1 * seconds)
        phase += 2 * math.pi * pitch / RATE
        voice = sum(
            math.sin(n * phase) * (_near(n * pitch, low, 120) + 0.5 * _near(n * pitch, high, 180))
            for n in range(1, 21)
        )
        syllable = math.sin(math.pi * (position % 1)) ** 2
        result.append(round(5000 * syllable * voice))
    return result


def _formants(position: float) -> tuple[float, float]:
    """Between one vowel and the next; the order does not repeat within the recording."""
    this, part = int(position), position % 1
    first = VOWELS[this * this % 7 % 5]
    second = VOWELS[(this + 1) * (this + 1) % 7 % 5]
    return (
        first[0] + part * (second[0] - first[0]),
        first[1] + part * (second[1] - first[1]),
    )


def _near(frequency: float, formant: float, width: float) -> float:
    return 1 / (1 + ((frequency - formant) / width) ** 2)


def write(path: Path) -> None:
    """Write the recording as a .wav."""
    data = samples()
    if sys.byteorder == "big":
        data.byteswap()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(data.tobytes())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
