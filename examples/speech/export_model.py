"""Voxtral as three exported programs: audio encoder, token embedding and text decoder.

The environment chooses what is exported: SPEECH_CONFIG is a name of `SIZES`, SPEECH_CHECKPOINT a
folder with published weights (without it the weights are random, from `SEED`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.export import Dim, ExportedProgram
from transformers import StaticCache, VoxtralConfig, VoxtralForConditionalGeneration

#: chunks of 30 s that the encoder takes at once; each is 375 tokens for the decoder
CHUNKS = 3
MEL_BINS, FRAMES = 128, 3000
#: the placeholder of one audio token in the tokenizer of the published models
AUDIO_TOKEN = 24
#: random weights with which, in the small size, the best token of every step of the example leads
#: by many times what bfloat16 rounds away (reference.py shows it)
SEED = 471


@dataclass(frozen=True)
class Size:
    """Settings of both halves that differ from the published ones, and the room for tokens."""

    audio: Mapping[str, Any]
    text: Mapping[str, Any]
    #: tokens of prompt, audio and answer together
    cache_tokens: int


_SHALLOW = {"num_hidden_layers": 2}
SIZES: Mapping[str, Size] = {
    # Built in minutes: 10 MB of weights. With random weights of the published spread, so small a
    # decoder repeats one token for ever.
    "small": Size(
        audio={
            **_SHALLOW,
            "hidden_size": 128,
            "intermediate_size": 512,
            "num_attention_heads": 4,
        },
        text={
            **_SHALLOW,
            "hidden_size": 256,
            "intermediate_size": 768,
            "vocab_size": 4096,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "initializer_range": 0.12,
        },
        cache_tokens=1280,
    ),
    # The published widths, so every tensor has its published shape, with two layers each.
    "shallow": Size(audio=_SHALLOW, text=_SHALLOW, cache_tokens=1280),
    # mistralai/Voxtral-Mini-3B-2507: 9.4 GB of weights.
    "full": Size(audio={}, text={}, cache_tokens=4096),
}


class AudioEncoder(torch.nn.Module):
    """Log-mel frames to embeddings in the decoder's space: encoder, then projector."""

    def __init__(self, voxtral: VoxtralForConditionalGeneration) -> None:
        super().__init__()
        self.voxtral = voxtral.model

    def forward(self, input_features: torch.Tensor) -> torch.Tensor:
        """[3, 128, 3000] float32 -> [1, 1125, hidden] bfloat16."""
        return self.voxtral.get_audio_features(input_features).pooler_output.unsqueeze(0)


class TokenEmbedding(torch.nn.Module):
    """Token ids to embeddings."""

    def __init__(self, voxtral: VoxtralForConditionalGeneration) -> None:
        super().__init__()
        self.embedding = voxtral.get_input_embeddings()

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """[1, tokens] int64 -> [1, tokens, hidden] bfloat16."""
        return self.embedding(input_ids)


class TextDecoder(torch.nn.Module):
    """Embeddings to logits; keys and values of earlier tokens stay in buffers of the model."""

    def __init__(self, voxtral: VoxtralForConditionalGeneration, cache_tokens: int) -> None:
        super().__init__()
        self.language_model = voxtral.model.language_model
        self.lm_head = voxtral.lm_head
        self.cache_tokens = cache_tokens
        config = self.language_model.config
        shape = (1, config.num_key_value_heads, cache_tokens, config.head_dim)
        for layer in range(config.num_hidden_layers):
            for part in ("keys", "values"):
                zeros = torch.zeros(shape, dtype=torch.bfloat16)
                self.register_buffer(f"{part}_{layer}", zeros, persistent=False)

    def forward(self, inputs_embeds: torch.Tensor, cache_position: torch.Tensor) -> torch.Tensor:
        """[1, tokens, hidden] bfloat16 and [tokens] int64 -> [1, tokens, vocabulary] bfloat16.

        `cache_position` are the tokens' places in the sequence: 0, 1, 2, ... for a prompt, which
        also starts a new sequence, then one more for each further token.
        """
        hidden = self.language_model(
            inputs_embeds=inputs_embeds, past_key_values=self._cache(cache_position)
        )
        return self.lm_head(hidden.last_hidden_state)

    def _cache(self, cache_position: torch.Tensor) -> StaticCache:
        """transformers' static cache on the buffers of this module.

        Made anew in each call, because the export writes to the buffers only where it finds them
        through the module; a cache that is kept would be a constant to it.
        """
        cache = StaticCache(self.language_model.config, max_cache_len=self.cache_tokens)
        for index, layer in enumerate(cache.layers):
            layer.keys = getattr(self, f"keys_{index}")
            layer.values = getattr(self, f"values_{index}")
            layer.dtype, layer.device = layer.keys.dtype, layer.keys.device
            layer.cumulative_length = cache_position[0].clone()
            layer.is_initialized = True
        return cache


def size() -> Size:
    """The size that SPEECH_CONFIG names."""
    name = os.environ.get("SPEECH_CONFIG", "small")
    if name not in SIZES:
        raise ValueError(f"SPEECH_CONFIG is {name!r}; there are {', '.join(SIZES)}")
    return SIZES[name]


@cache
def voxtral() -> VoxtralForConditionalGeneration:
    """The model in bfloat16, in eager mode; one for all three programs."""
    checkpoint = os.environ.get("SPEECH_CHECKPOINT")
    if checkpoint:
        return VoxtralForConditionalGeneration.from_pretrained(
            checkpoint, dtype=torch.bfloat16
        ).eval()
    return random_voxtral(size(), SEED)


def random_voxtral(size: Size, seed: int) -> VoxtralForConditionalGeneration:
    """A model with random weights."""
    config = VoxtralConfig(
        audio_config={"model_type": "voxtral_encoder", **size.audio},
        text_config={"model_type": "llama", **size.text},
        audio_token_id=AUDIO_TOKEN,
        dtype=torch.bfloat16,
    )
    torch.manual_seed(seed)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        model = VoxtralForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    # As from_pretrained does with the published weights.
    model.model.audio_tower.embed_positions.float()
    return model.eval()


def audio_encoder() -> ExportedProgram:
    """Three chunks of audio at once."""
    features = torch.zeros(CHUNKS, MEL_BINS, FRAMES)
    return torch.export.export(AudioEncoder(voxtral()).eval(), (features,))


def token_embedding() -> ExportedProgram:
    """Any number of tokens."""
    tokens = Dim("tokens", min=1, max=size().cache_tokens)
    ids = torch.zeros(1, 7, dtype=torch.int64)
    return torch.export.export(
        TokenEmbedding(voxtral()).eval(), (ids,), dynamic_shapes={"input_ids": {1: tokens}}
    )


def text_decoder() -> ExportedProgram:
    """A prompt of any length, or one token after the other."""
    model, room = voxtral(), size().cache_tokens
    tokens = Dim("tokens", min=1, max=room)
    hidden = model.config.text_config.hidden_size
    embeddings = torch.zeros(1, 7, hidden, dtype=torch.bfloat16)
    return torch.export.export(
        TextDecoder(model, room).eval(),
        (embeddings, torch.arange(7)),
        dynamic_shapes={"inputs_embeds": {1: tokens}, "cache_position": {0: tokens}},
    )
