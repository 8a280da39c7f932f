"""What is measured: the networks' names, and in which dtypes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """One row of the table; `name` is a key of networks.BUILDERS."""

    name: str
    #: in the tables
    title: str
    #: whether it is measured in bfloat16, too
    bfloat16: bool = False


@dataclass(frozen=True)
class Case:
    """A network in one dtype."""

    network: str
    dtype: str


NETWORKS: Mapping[str, Network] = {
    row.name: row
    for row in (
        Network("minilm", "MiniLM, 128 tokens"),
        Network("minilm_batch", "MiniLM, 8 x 32 tokens"),
        Network("bert_base", "BERT-base, 128 tokens", bfloat16=True),
        Network("gpt2_small", "GPT-2 small, 64 tokens"),
        Network("llama_prefill", "Llama-shaped 110 M, 128 tokens"),
        Network("llama_step", "Llama-shaped 110 M, one token", bfloat16=True),
        Network("vit_small", "ViT small, 224"),
        Network("whisper_encoder", "Whisper tiny encoder, 3000 frames", bfloat16=True),
        Network("convnext_tiny", "ConvNeXt tiny, 224"),
        Network("resnet50", "ResNet-50, 224"),
        Network("lstm", "LSTM 2 x 512, 100 steps"),
    )
}
