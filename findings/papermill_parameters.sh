#!/usr/bin/env bash
# A parameter of the command line that looks like a number becomes one: 3.10 is 3.1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq papermill==2.7.0
cd "$folder"
env -i PATH="$PATH" "$folder/venv/bin/python" - <<'PY'
import contextlib
import importlib.metadata
import io
import json
import sys

from papermill.cli import papermill

kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
with open("in.ipynb", "w") as file:
    json.dump({"cells": [], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}, file)
given = {"version": "3.10", "order_id": "007", "model": "1_000", "label": "nan"}
options = [part for name, value in given.items() for part in ("-p", name, value)]
with contextlib.redirect_stderr(io.StringIO()):
    papermill(["in.ipynb", "out.ipynb", "--prepare-only", *options], standalone_mode=False)
with open("out.ipynb") as file:
    cells = ["".join(cell["source"]) for cell in json.load(file)["cells"]]
seen = [line for text in cells for line in text.splitlines() if " = " in line]
print("papermill", importlib.metadata.version("papermill"))
print("done:    ", "papermill in.ipynb out.ipynb", *options)
print("expected: texts, as they were typed (-r gives them)")
print("seen:    ", "; ".join(seen))
wanted = ["version = 3.1", "order_id = 7", "model = 1000", "label = float('nan')"]
assert seen == wanted, "changed"
PY
