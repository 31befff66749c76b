"""Runs of whole lessons, begun together and looked at one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tools import live_cost
from tools import notebooks as r


@pytest.fixture(scope="session")
def live_lesson(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Path], tuple[r.Notebook, list[dict], str]]]:
    """Gives how a lesson comes out with a key, see ``live_cost.run_live``; some run at once."""
    chosen: set[Any] = {
        item.callspec.params["file"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and request.fixturename in item.fixturenames
    }
    with ThreadPoolExecutor(r.AT_ONCE) as pool:
        runs = {
            file: pool.submit(live_cost.run_live, file, tmp_path_factory.mktemp(file.stem))
            for file in sorted(chosen)
        }
        yield lambda file: runs[file].result()
        pool.shutdown(cancel_futures=True)
