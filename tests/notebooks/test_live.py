"""Every lesson with a key: a second mock, at an address of its own, stands in for the gateway."""

from pathlib import Path

from holysheep_helpers.mock.server import serve
from tests.notebooks import regenerate as r
from tests.notebooks.test_notebooks import FILES, every_notebook

KEY = "a-live-key-for-tests"


@every_notebook
def test_it_runs_live(file: Path, tmp_path: Path) -> None:
    with serve(time_scale=0.05, keys=frozenset({KEY})) as gateway:
        env = r.clean_environment(tmp_path) | {
            "HOLYSHEEP_MODE": "live",
            "HOLYSHEEP_API_KEY": KEY,
            "HOLYSHEEP_BASE_URL": gateway.base_url,
        }
        gateway.api_key = KEY
        done = r.execute(r.load(file), file.parent, env)
        asked = gateway.entries()
    assert "LIVE gateway: calls leave this computer and cost money" in r.dump(done)
    assert KEY not in r.dump(done)
    assert gateway.base_url in r.dump(done)  # in the card
    outputs = [output for cell in r.code_cells(done) for output in cell["outputs"]]
    warned = [r.text_of(o["text"]) for o in outputs if o.get("name") == "stderr"]
    expected = ("UnpricedWarning", "StalePriceWarning")
    assert [text for text in warned if not any(name in text for name in expected)] == []
    if file != FILES[0]:
        assert len(asked) >= 3
        assert {entry["status"] for entry in asked} == {200}
