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
) -> Iterator[Callable[[Path], live_cost.Live]]:
    """Gives how a lesson comes out with a key. Two kernels run half of the lessons each."""
    chosen: set[Any] = {
        item.callspec.params["file"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and request.fixturename in item.fixturenames
    }
    halves = [sorted(chosen)[at :: r.AT_ONCE] for at in range(r.AT_ONCE)]
    with ThreadPoolExecutor() as pool:
        runs = {
            file: run
            for half in filter(None, halves)
            for run in [pool.submit(live_cost.run_live, half, tmp_path_factory.mktemp("live"))]
            for file in half
        }
        yield lambda file: runs[file].result()[file]
