"""What eager torch answers to a recording, and how sure that is: the figures to compare with.

    python reference.py speech.wav [--tokens N] [--ask TEXT] [--dump FOLDER]

Prints JSON: the tokens of transformers' own greedy `generate` in bfloat16; `lead`, by how much the
best logit beats the second best, at least; `rounding`, how far the logits are from those of the
same weights in float32 (root mean square). Another order of summation, on another machine, errs by
as much; a lead of many times that stands. With --dump, the folder that main_voxtral.exe wrote to,
also `mel_difference`, the largest, and `logits_difference`, the root mean square, between there and
here.
"""

import argparse
import copy
import json
import wave
from pathlib import Path

import numpy as np
import torch
from export_model import AUDIO_TOKEN, CHUNKS, FRAMES, MEL_BINS, voxtral
from transformers import VoxtralForConditionalGeneration, WhisperFeatureExtractor

#: control tokens of the published tokenizer, after which it has the 256 bytes
BEGIN, END, ASK, ASKED, BEGIN_AUDIO, BYTES = 1, 2, 3, 4, 25, 1000
HOP, RATE = 160, 16000


def features(recording: Path) -> torch.Tensor:
    """Log-mel frames, [3, 128, 3000] float32, of a .wav with 16 kHz, mono, 16 bits."""
    with wave.open(str(recording)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
    extractor = WhisperFeatureExtractor(feature_size=MEL_BINS)
    frames = extractor(
        samples / 32768,
        sampling_rate=RATE,
        padding="max_length",
        max_length=CHUNKS * FRAMES * HOP,
        truncation=False,
        return_tensors="pt",
    ).input_features
    return frames.reshape(MEL_BINS, CHUNKS, FRAMES).transpose(0, 1).contiguous()


def prompt(question: str, audio_tokens: int) -> torch.Tensor:
    """[1, tokens] int64; the question byte by byte."""
    letters = [BYTES + byte for byte in question.encode()]
    ids = [BEGIN, ASK, BEGIN_AUDIO, *[AUDIO_TOKEN] * audio_tokens, *letters, ASKED]
    return torch.tensor([ids])


def generate(
    model: VoxtralForConditionalGeneration, mel: torch.Tensor, ids: torch.Tensor, tokens: int
) -> tuple[list[int], torch.Tensor]:
    """The greedy answer and each step's logits, [tokens, vocabulary] float32."""
    with torch.no_grad():
        result = model.generate(
            input_ids=ids,
            input_features=mel,
            max_new_tokens=tokens,
            do_sample=False,
            eos_token_id=END,
            pad_token_id=0,
            output_logits=True,
            return_dict_in_generate=True,
        )
    answer = result.sequences[0, ids.shape[1] :].tolist()
    return answer, torch.stack(result.logits)[:, 0].float()


def compare(recording: Path, tokens: int, question: str, dump: Path | None) -> dict[str, object]:
    """The figures that the module's docstring explains."""
    mel = features(recording)
    ids = prompt(question, CHUNKS * FRAMES // 8)
    answer, logits = generate(voxtral(), mel, ids, tokens)
    exact_answer, exact = generate(copy.deepcopy(voxtral()).float(), mel, ids, tokens)
    best, second = logits.topk(2).values.unbind(1)
    figures: dict[str, object] = {
        "tokens": answer,
        "lead": (best - second).min().item(),
        "rounding": rms(logits - exact) if exact_answer == answer else None,
    }
    if dump is not None:
        theirs = torch.from_numpy(np.fromfile(dump / "mel.f32", np.float32)).reshape(mel.shape)
        figures["mel_difference"] = (theirs - mel).abs().max().item()
        bits = torch.from_numpy(np.fromfile(dump / "logits.bf16", np.int16))
        steps = bits.view(torch.bfloat16).reshape(-1, logits.shape[1]).float()
        figures["logits_difference"] = rms(steps - logits)
    return figures


def rms(difference: torch.Tensor) -> float:
    """Root mean square."""
    return difference.square().mean().sqrt().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("recording", type=Path)
    parser.add_argument("--tokens", type=int, default=10)
    parser.add_argument("--ask", default="Describe.")
    parser.add_argument("--dump", type=Path)
    arguments = parser.parse_args()
    print(json.dumps(compare(*vars(arguments).values())))
