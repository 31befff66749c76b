#!/usr/bin/env bash
# A folder of certificates that is not there is no error: the client trusts nobody, and fails later.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq httpx2==2.16.2
cd "$folder"
env -i PATH="$PATH" "$folder/venv/bin/python" - <<'PY'
import os

import httpx2


def trusted():
    try:
        return f"{httpx2.create_ssl_context().cert_store_stats()['x509_ca']} authorities"
    except OSError as error:
        return f"{type(error).__name__}: {error}"


usual = trusted()
os.environ["SSL_CERT_FILE"] = "/no/such/file.pem"
file = trusted()
del os.environ["SSL_CERT_FILE"]
os.environ["SSL_CERT_DIR"] = "/no/such/folder"
folder = trusted()
httpx2.Client().close()
print("httpx2", httpx2.__version__)
print("done:     SSL_CERT_FILE, then SSL_CERT_DIR, names what does not exist")
print("expected: the same for both: an error when the client is made, which names the path")
print("seen:     neither set:  ", usual)
print("          SSL_CERT_FILE:", file)
print("          SSL_CERT_DIR: ", folder, "(the client is made; each https request fails later)")
assert file.startswith("FileNotFoundError"), "changed"
assert folder == "0 authorities" != usual, "changed"
PY
