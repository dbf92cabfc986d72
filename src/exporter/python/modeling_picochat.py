"""A picochat model for Hugging Face transformers (4.57 and 5); needs nothing but torch and transformers.

A block computes x + Attn(n1(x)) + MLP(n1(x)) (parallel residual, one shared norm) or
x' = x + Attn(n1(x)); x' + MLP(n2(x')) (sequential). Queries and keys may be normalised per head before the rotary
positions, which rotate the two halves of a head.
"""

import inspect

import torch
from torch import nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.cache_utils import DynamicCache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .configuration_picochat import PicochatConfig

# What create_causal_mask takes, and what outputs call the cache, changed over the releases of transformers.
_MASK_PARAMETERS = inspect.signature(create_causal_mask).parameters
_EMBEDS = "inputs_embeds" if "inputs_embeds" in _MASK_PARAMETERS else "input_embeds"
_CACHE = "cache" if "cache" in _MASK_PARAMETERS else "past_key_values"


class PicochatRMSNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        y = x.float()
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * y.to(x.dtype)


def make_norm(config):
    if config.norm_type == "layernorm":
        return nn.LayerNorm(config.hidden_size, eps=config.norm_eps)
    return PicochatRMSNorm(config.hidden_size, config.norm_eps)


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def eager_attention(module, query, key, value, attention_mask, scaling, dropout=0.0, **kwargs):
    key = key.repeat_interleave(module.num_key_value_groups, dim=1)
    value = value.repeat_interleave(module.num_key_value_groups, dim=1)
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask[:, :, :, : key.shape[-2]]
    weights = nn.functional.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


class PicochatAttention(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.head_dim = config.head_dim
        self.num_key_value_groups = config.num_attention_heads // config.num_key_value_heads
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = 0.0
        self.is_causal = True
        width, kv_width = config.num_attention_heads * self.head_dim, config.num_key_value_heads * self.head_dim
        self.q_proj = nn.Linear(config.hidden_size, width, bias=config.linear_bias)
        self.k_proj = nn.Linear(config.hidden_size, kv_width, bias=config.linear_bias)
        self.v_proj = nn.Linear(config.hidden_size, kv_width, bias=config.linear_bias)
        self.o_proj = nn.Linear(width, config.hidden_size, bias=config.linear_bias)
        if config.qk_norm:
            self.q_norm = PicochatRMSNorm(self.head_dim, config.norm_eps)
            self.k_norm = PicochatRMSNorm(self.head_dim, config.norm_eps)

    def forward(self, hidden_states, position_embeddings, attention_mask, cache=None, **kwargs):
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        query = self.q_proj(hidden_states).view(shape).transpose(1, 2)
        key = self.k_proj(hidden_states).view(shape).transpose(1, 2)
        value = self.v_proj(hidden_states).view(shape).transpose(1, 2)
        if self.config.qk_norm:
            query, key = self.q_norm(query), self.k_norm(key)
        if position_embeddings is not None:
            query, key = rotate(query, *position_embeddings), rotate(key, *position_embeddings)
        if cache is not None:
            key, value = cache.update(key, value, self.layer_idx)
        attend = eager_attention
        if self.config._attn_implementation != "eager":
            attend = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        output, weights = attend(self, query, key, value, attention_mask, dropout=0.0, scaling=self.scaling, **kwargs)
        return self.o_proj(output.reshape(*hidden_states.shape[:-1], -1).contiguous()), weights


class PicochatMLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.activation = config.activation
        if self.activation == "swiglu":
            self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.linear_bias)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.linear_bias)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=config.linear_bias)

    def forward(self, x):
        up = self.up_proj(x)
        if self.activation == "swiglu":
            return self.down_proj(nn.functional.silu(self.gate_proj(x)) * up)
        if self.activation == "gelu":
            return self.down_proj(nn.functional.gelu(up))
        return self.down_proj(nn.functional.relu(up).square())


class PicochatDecoderLayer(GradientCheckpointingLayer):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.parallel_residual = config.parallel_residual
        self.self_attn = PicochatAttention(config, layer_idx)
        self.mlp = PicochatMLP(config)
        self.input_layernorm = make_norm(config)
        if not self.parallel_residual:
            self.post_attention_layernorm = make_norm(config)

    def forward(self, hidden_states, attention_mask=None, position_embeddings=None, cache=None, **kwargs):
        normed = self.input_layernorm(hidden_states)
        attended, _ = self.self_attn(normed, position_embeddings, attention_mask, cache=cache, **kwargs)
        if self.parallel_residual:
            return hidden_states + attended + self.mlp(normed)
        hidden_states = hidden_states + attended
        return hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))


class PicochatPreTrainedModel(PreTrainedModel):
    config_class = PicochatConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["PicochatDecoderLayer"]
    _skip_keys_device_placement = ["cache", "past_key_values"]
    _supports_flash_attn = True
    _supports_flash_attn_2 = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_record_outputs = {"hidden_states": PicochatDecoderLayer, "attentions": PicochatAttention}


class PicochatModel(PicochatPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        if config.position_encoding == "learned":
            self.embed_positions = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.layers = nn.ModuleList([PicochatDecoderLayer(config, i) for i in range(config.num_hidden_layers)])
        self.norm = make_norm(config)
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self):
        return self.embed_tokens

    def set_input_embeddings(self, value):
        self.embed_tokens = value

    def rotary(self, position_ids, dtype):
        half = self.config.head_dim // 2
        exponent = torch.arange(half, dtype=torch.float32, device=position_ids.device) / half
        angle = position_ids[:, None, :, None].float() * self.config.rope_theta**-exponent
        return angle.cos().to(dtype), angle.sin().to(dtype)

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        cache=None,
        past_key_values=None,
        inputs_embeds=None,
        use_cache=None,
        output_hidden_states=None,
        **kwargs,
    ):
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("exactly one of input_ids and inputs_embeds must be given")
        if inputs_embeds is None:
            inputs_embeds = self.embed_tokens(input_ids)
        cache = past_key_values if cache is None else cache
        use_cache = self.config.use_cache if use_cache is None else use_cache
        if self.gradient_checkpointing and self.training and torch.is_grad_enabled():
            use_cache, cache = False, None
        if use_cache and cache is None:
            cache = DynamicCache()
        for name in ("cache_position", "return_dict", "output_attentions"):
            kwargs.pop(name, None)
        past = cache.get_seq_length() if cache is not None else 0
        cache_position = torch.arange(past, past + inputs_embeds.shape[1], device=inputs_embeds.device)
        if position_ids is None:
            position_ids = cache_position.unsqueeze(0)
        mask_arguments = {"config": self.config, "attention_mask": attention_mask, "position_ids": position_ids}
        mask_arguments |= {_EMBEDS: inputs_embeds, _CACHE: cache}
        if "cache_position" in _MASK_PARAMETERS:
            mask_arguments["cache_position"] = cache_position
        mask = create_causal_mask(**mask_arguments)

        hidden_states, position_embeddings = inputs_embeds, None
        if self.config.position_encoding == "learned":
            hidden_states = hidden_states + self.embed_positions(position_ids)
        else:
            position_embeddings = self.rotary(position_ids, hidden_states.dtype)
        all_hidden_states = []
        for layer in self.layers[: self.config.num_hidden_layers]:
            all_hidden_states.append(hidden_states)
            hidden_states = layer(
                hidden_states, attention_mask=mask, position_embeddings=position_embeddings, cache=cache, **kwargs
            )
        hidden_states = self.norm(hidden_states)
        all_hidden_states.append(hidden_states)
        return BaseModelOutputWithPast(
            last_hidden_state=hidden_states,
            hidden_states=tuple(all_hidden_states) if output_hidden_states else None,
            **{_CACHE: cache if use_cache else None},
        )


def tied_weights():
    """transformers 5 wants a mapping, 4 a list of names."""
    import transformers

    if int(transformers.__version__.split(".")[0]) >= 5:
        return {"lm_head.weight": "model.embed_tokens.weight"}
    return ["lm_head.weight"]


class PicochatForCausalLM(PicochatPreTrainedModel, GenerationMixin):
    _tied_weights_keys = tied_weights()
    _tp_plan = {"lm_head": "colwise_rep"}
    _pp_plan = {"lm_head": (["hidden_states"], ["logits"])}

    def __init__(self, config):
        super().__init__(config)
        self.model = PicochatModel(config)
        self.vocab_size = config.vocab_size
        head_bias = config.linear_bias and not config.tie_word_embeddings
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=head_bias)
        self.post_init()

    def get_input_embeddings(self):
        return self.model.embed_tokens

    def set_input_embeddings(self, value):
        self.model.embed_tokens = value

    def get_output_embeddings(self):
        return self.lm_head

    def set_output_embeddings(self, value):
        self.lm_head = value

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        cache=None,
        past_key_values=None,
        inputs_embeds=None,
        labels=None,
        use_cache=None,
        logits_to_keep=0,
        return_dict=None,
        **kwargs,
    ):
        loss_arguments = {k: kwargs.pop(k) for k in ("num_items_in_batch", "ignore_index", "shift_labels") if k in kwargs}
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            cache=past_key_values if cache is None else cache,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(outputs.last_hidden_state[:, keep, :])
        cap = self.config.logit_softcap
        if cap:
            logits = cap * torch.tanh(logits / cap)
        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits, labels=labels, vocab_size=self.config.vocab_size, **loss_arguments
            )
        result = CausalLMOutputWithPast(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, **{_CACHE: outputs[_CACHE] if _CACHE in outputs else None}
        )
        return result.to_tuple() if return_dict is False else result
