#!/usr/bin/env bash
# A saved tokenizer remembers truncation and padding: the counts of whoever loads it are wrong.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq tokenizers==0.23.3
cd "$folder"
env -i PATH="$PATH" "$folder/venv/bin/python" - <<'PY'
import importlib.metadata

from tokenizers import Tokenizer, models, pre_tokenizers

made = Tokenizer(models.WordLevel({"[UNK]": 0, "word": 1}, unk_token="[UNK]"))
made.pre_tokenizer = pre_tokenizers.Whitespace()
long, short = "word " * 1000, "word"
true = [len(made.encode(text).ids) for text in (long, short)]
made.enable_truncation(512)  # as for training; many published tokenizer.json files have it
made.enable_padding(length=128)
loaded = Tokenizer.from_str(made.to_str())
seen = [len(loaded.encode(text).ids) for text in (long, short)]
loaded.no_truncation()
loaded.no_padding()
mended = [len(loaded.encode(text).ids) for text in (long, short)]
print("tokenizers", importlib.metadata.version("tokenizers"))
print("done:     len(Tokenizer.from_str(saved).encode(text).ids) for texts of", true, "tokens")
print("expected:", true)
print("seen:    ", seen, "without a word; after no_truncation() and no_padding():", mended)
assert true == mended == [1000, 1] and seen == [512, 128], "changed"
PY
