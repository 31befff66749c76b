#!/usr/bin/env bash
# read_json reads texts in quotes as numbers, dates and nothing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq pandas==3.1.1
cd "$folder"
env -i PATH="$PATH" "$folder/venv/bin/python" - <<'PY'
import io
import json

import pandas as pd


def column(name, *texts):
    lines = "\n".join(json.dumps({name: text}) for text in texts)
    return pd.read_json(io.StringIO(lines), lines=True)[name].tolist()


answers = column("answer", "007", "12")
words = column("answer", "1e3", "NaN")
dates = column("date", "2026-01-01")
kept = pd.read_json(io.StringIO('{"answer": "007"}'), lines=True, dtype=False)["answer"].tolist()
print("pandas", pd.__version__)
print("done:     read_json(..., lines=True) of texts, each in quotes")
print("expected: what has quotes in JSON is a text")
print("seen:     '007', '12' ->", answers)
print("          '1e3', 'NaN' ->", words)
print("          'date': '2026-01-01' ->", dates)
print("          '007' with dtype=False ->", kept)
assert answers == [7, 12] and words[0] == 1000.0 and words[1] != words[1], "changed"
assert isinstance(dates[0], pd.Timestamp) and kept == ["007"], "changed"
PY
