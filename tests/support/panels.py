"""A panel driven as a learner drives it."""

from __future__ import annotations

import holysheep_helpers as hs
from holysheep_helpers.notebook.panels import Panel


def press(panel: Panel) -> None:
    panel.send.click()
    panel.wait()
    assert not panel.send.disabled


MAKERS = [hs.playground, hs.compare_panel, hs.stream_panel, hs.batch_panel, hs.latency_panel]
