"""The networks: architectures in the sizes that people use, the weights random unless noted."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from tests.models.networks import StaticCacheStep, minilm_model
from torch import nn

#: module in eval mode, positional inputs
Example = tuple[nn.Module, tuple[torch.Tensor, ...]]


class Positional(nn.Module):
    """A model of transformers that is called with positional arguments and gives one tensor."""

    def __init__(self, model: Any, result: str, *names: str, **fixed: Any) -> None:
        super().__init__()
        self.model = model
        self.result = result
        self.names = names
        self.fixed = fixed

    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        named = dict(zip(self.names, args, strict=True))
        found: torch.Tensor = self.model(**named, **self.fixed)[self.result]
        return found


def _made(kind: Any, config: Any) -> Any:
    config._attn_implementation = "sdpa"
    return kind(config).eval()


def _tokens(vocabulary: int, batch: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens, and a mask that hides none of them."""
    return torch.randint(5, vocabulary, (batch, length)), torch.ones(batch, length).long()


def minilm(batch: int, length: int) -> Example:
    """all-MiniLM-L6-v2 with its published weights."""
    model = Positional(minilm_model(), "last_hidden_state", "input_ids", "attention_mask")
    return model, _tokens(30000, batch, length)


def bert_base() -> Example:
    from transformers import BertConfig, BertModel

    model = _made(BertModel, BertConfig())
    named = ("input_ids", "attention_mask")
    return Positional(model, "last_hidden_state", *named), _tokens(30000, 1, 128)


def gpt2_small() -> Example:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = _made(GPT2LMHeadModel, GPT2Config(use_cache=False))
    return Positional(model, "logits", "input_ids"), _tokens(50000, 1, 64)[:1]


def _llama() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=12,
        num_attention_heads=12,
        num_key_value_heads=12,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        use_cache=False,
    )
    return _made(LlamaForCausalLM, config)


def llama_prefill() -> Example:
    """128 tokens, the logits of the last one."""
    model = Positional(_llama(), "logits", "input_ids", logits_to_keep=1)
    return model, _tokens(32000, 1, 128)[:1]


def llama_step() -> Example:
    """One token after 128 others, in a cache of 256."""
    model = StaticCacheStep(_llama(), 256).eval()
    return model, (_tokens(32000, 1, 1)[0], torch.tensor([128]))


def vit_small() -> Example:
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(hidden_size=384, num_attention_heads=6, intermediate_size=1536)
    model = Positional(_made(ViTModel, config), "last_hidden_state", "pixel_values")
    return model, (torch.randn(1, 3, 224, 224),)


def whisper() -> Example:
    from transformers import WhisperConfig, WhisperModel

    model = _made(WhisperModel, WhisperConfig()).encoder
    positional = Positional(model, "last_hidden_state", "input_features")
    return positional, (torch.randn(1, 80, 3000),)


def convnext_tiny() -> Example:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    model = ConvNextForImageClassification(ConvNextConfig(num_labels=1000)).eval()
    return Positional(model, "logits", "pixel_values"), (torch.randn(1, 3, 224, 224),)


def resnet50() -> Example:
    from transformers import ResNetConfig, ResNetForImageClassification

    model = ResNetForImageClassification(ResNetConfig(num_labels=1000)).eval()
    return Positional(model, "logits", "pixel_values"), (torch.randn(1, 3, 224, 224),)


class Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(512, 512, num_layers=2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.lstm(x)[0]
        return hidden


def lstm() -> Example:
    return Lstm().eval(), (torch.randn(1, 100, 512),)


BUILDERS: Mapping[str, Callable[[], Example]] = {
    "minilm": lambda: minilm(1, 128),
    "minilm_batch": lambda: minilm(8, 32),
    "bert_base": bert_base,
    "gpt2_small": gpt2_small,
    "llama_prefill": llama_prefill,
    "llama_step": llama_step,
    "vit_small": vit_small,
    "whisper_encoder": whisper,
    "convnext_tiny": convnext_tiny,
    "resnet50": resnet50,
    "lstm": lstm,
}


def example(name: str) -> Example:
    """Build a network of the table in float32; the same numbers at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(zlib.crc32(name.removesuffix("_batch").encode()))
        module, args = BUILDERS[name]()
    module.requires_grad_(False)
    return module, args
