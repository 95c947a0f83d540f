"""Writes a llama model of two layers with random weights: `make_tiny_gguf.py FILE [SEED]`.

Every byte is a token, so any text can go in. What comes out is noise that is mostly printable ASCII, and now and then
the end token: the first coordinate of every embedding is a large constant which survives the two small layers, so the
first column of the output matrix acts as a bias on each token.
"""

import sys

import gguf
import numpy as np

WIDTH, LAYERS, HEADS, FEED, CONTEXT = 64, 2, 4, 128, 131072
CONSTANT = 8.0
SPECIAL = ["<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>"]

TEMPLATE = (
    "{%- if tools %}<|system|>Tools: {{ tools | tojson }}<|end|>\n{% endif -%}"
    "{%- for message in messages %}<|{{ message.role }}|>{{ message.content }}"
    "{%- if message.tool_calls %}{{ message.tool_calls | tojson }}{% endif %}<|end|>\n{% endfor -%}"
    "{%- if add_generation_prompt %}<|assistant|>{% endif -%}"
)


def vocabulary():
    """Tokens, scores and types: three control tokens, 256 bytes, the space, and the marks of the template."""
    kind = gguf.TokenType
    rows = [("<unk>", 0.0, kind.UNKNOWN), ("<s>", 0.0, kind.CONTROL), ("</s>", 0.0, kind.CONTROL)]
    rows += [(f"<0x{byte:02X}>", 0.0, kind.BYTE) for byte in range(256)]
    rows += [("\u2581", -1.0, kind.NORMAL)]
    rows += [(text, 0.0, kind.CONTROL) for text in SPECIAL]
    return rows


def bias(tokens):
    """What the output matrix adds to each token, as a logit."""
    wanted = np.full(len(tokens), -20.0)
    for at, (text, _, kind) in enumerate(tokens):
        if kind == gguf.TokenType.BYTE and 0x21 <= int(text[3:5], 16) < 0x7F:
            wanted[at] = 0.0
        elif text == "\u2581":
            wanted[at] = 2.0
        elif text == "<|end|>":
            wanted[at] = 1.0
    return wanted


def main(path, seed):
    random = np.random.default_rng(seed)
    tokens = vocabulary()
    count = len(tokens)
    matrix = lambda rows, columns, scale: (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(count)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _, _ in tokens])
    writer.add_token_scores([score for _, score, _ in tokens])
    writer.add_token_types([int(kind) for _, _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(count - 1)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)

    embedding = matrix(count, WIDTH, 1.0)
    embedding[:, 0] = CONSTANT
    # After the final norm the constant coordinate stands at about this value.
    level = CONSTANT / np.sqrt((CONSTANT**2 + WIDTH - 1) / WIDTH)
    output = matrix(count, WIDTH, 0.18)
    output[:, 0] = bias(tokens) / level
    output[count - 1, 1:] = 0.0
    ones = np.ones(WIDTH, dtype=np.float32)

    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        name = f"blk.{layer}."
        writer.add_tensor(name + "attn_norm.weight", ones)
        writer.add_tensor(name + "ffn_norm.weight", ones)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{name}{part}.weight", matrix(WIDTH, WIDTH, 0.05))
        writer.add_tensor(name + "ffn_gate.weight", matrix(FEED, WIDTH, 0.05))
        writer.add_tensor(name + "ffn_up.weight", matrix(FEED, WIDTH, 0.05))
        writer.add_tensor(name + "ffn_down.weight", matrix(WIDTH, FEED, 0.05))

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7)
