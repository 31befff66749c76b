"""Write docs/errors.md from the list of errors: ``python -m tools.errors_page``."""

from pathlib import Path

from holysheep_helpers.diagnosis.kinds import as_markdown

FILE = Path(__file__).resolve().parents[1] / "docs" / "errors.md"


def page() -> str:
    """The table with its heading, for ``docs/errors.md``."""
    return "\n".join([
        "# Errors and what they mean", "",
        "This page has all that `hs.diagnose(error)` knows. `python -m tools.errors_page` writes",
        "it from the list of errors in `holysheep_helpers/diagnosis/kinds.toml`.",
        "*aiohttp* is the transport of the gateway's asynchronous clients.",
        "An error is recognised by its type and status, the codes and fields of its body, and",
        "its causes, never by the words of its message.", "", as_markdown(),
    ])  # fmt: skip


if __name__ == "__main__":
    FILE.write_text(page(), "utf-8", newline="\n")
