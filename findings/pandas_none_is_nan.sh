#!/usr/bin/env bash
# None in a column of texts becomes nan: it is true, it is a word in the next prompt, it breaks JSON.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq pandas==3.1.1
cd "$folder"
env -i PATH="$PATH" "$folder/venv/bin/python" - <<'PY'
import json

import pandas as pd

answers = pd.DataFrame({"text": ["Hello.", None]})  # the second prompt had no answer
missing = answers["text"].tolist()[1]
prompts = [f"Translate: {text}" for text in answers["text"]]
kept = [text for text in answers["text"] if text is not None and text]
sent = json.dumps(answers.to_dict("records"))
try:
    json.loads(sent, parse_constant=lambda name: int(name))
    strict = "read"
except ValueError:
    strict = "refused"
print("pandas", pd.__version__)
print("done:     DataFrame({'text': ['Hello.', None]})")
print("expected: None stays None, as in a list, and as it did in pandas 2")
print("seen:     the value:", repr(missing), "| prompts:", prompts)
print("          left after 'if text is not None and text':", kept)
print("          as JSON:", sent, "| a strict reader:", strict)
assert missing is not None and missing != missing, "changed"
assert prompts[1] == "Translate: nan" and len(kept) == 2, "changed"
assert "NaN" in sent and strict == "refused", "changed"
PY
