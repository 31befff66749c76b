"""What a client did wrong, as its server can tell from the journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

AT_ONCE_S = 0.1
"""A repeat earlier than this after a failure has not backed off (the SDK waits 0.375 s or more)."""
TOGETHER_S = 0.05
CROWD = 5
FINAL = {400, 401, 403, 404, 405, 413, 422}
FINDINGS = {
    "ignored_retry_after": "asked again before the time that Retry-After named",
    "retried_final": "asked again although no retry can succeed",
    "no_backoff": f"asked again within {AT_ONCE_S} s of a failure",
    "stampede": f"came back from a limit together, {CROWD} or more within {TOGETHER_S} s",
    "took_truncated": "did not ask again after an answer that was not complete. Its finish reason "
    "says so, or is missing. The client took it for complete, or gave up",
    "may_have_paid_twice": "asked again for a reply that was made but not delivered",
}
Entry = dict[str, Any]
Pair = tuple[Entry, Entry]


def verdict(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The findings, by key, in the order of ``FINDINGS``: name, how often, and which requests.

    A repeat is the next same request that arrives after a reply which was not delivered has
    ended; repeats of delivered replies are the caller's own business.
    """
    by_key: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_key[entry["key"]].append(entry)
    found = []
    for key, own in by_key.items():
        pairs, alone = _repeats(own)
        for name, blamed in _judge(pairs, alone).items():
            if blamed:
                ids = [entry["id"] for entry in blamed]
                what = FINDINGS[name]
                found.append(
                    {"finding": name, "what": what, "key": key, "count": len(ids), "ids": ids}
                )
    return found


def _repeats(entries: list[Entry]) -> tuple[list[Pair], list[Entry]]:
    """Each undelivered request with its repeat, and those that have none."""
    same: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry["arrived_s"]):
        same[entry["request"]].append(entry)
    pairs: list[Pair] = []
    alone: list[Entry] = []
    for group in same.values():
        failed = [e for e in group if e["outcome"] not in ("delivered", "open")]
        taken: set[str] = set()
        for entry in sorted(failed, key=lambda entry: entry["ended_s"]):
            repeat = next(
                (
                    later
                    for later in group
                    if later["arrived_s"] >= entry["ended_s"] and later["id"] not in taken
                ),
                None,
            )
            if repeat is None:
                alone.append(entry)
            else:
                taken.add(repeat["id"])
                pairs.append((entry, repeat))
    return pairs, alone


def _judge(pairs: list[Pair], alone: list[Entry]) -> dict[str, list[Entry]]:
    def repeats(wrong: Callable[[Entry, float], bool]) -> list[Entry]:
        return [
            repeat for entry, repeat in pairs
            if wrong(entry, repeat["arrived_s"] - entry["ended_s"])
        ]  # fmt: skip

    return {
        "ignored_retry_after": repeats(
            lambda entry, wait_s: (
                entry["retry_after_s"] is not None and wait_s < entry["retry_after_s"] - 0.005
            )
        ),
        "retried_final": repeats(lambda entry, _: is_final(entry)),
        "no_backoff": repeats(
            lambda entry, wait_s: (
                not is_final(entry) and entry["retry_after_s"] is None and wait_s < AT_ONCE_S
            )
        ),
        "stampede": _together([repeat for entry, repeat in pairs if entry["status"] == 429]),
        "took_truncated": [entry for entry in alone if entry["outcome"] == "truncated"],
        "may_have_paid_twice": [
            repeat for entry, repeat in pairs
            if entry["paid"] == "maybe" and repeat["paid"] != "no"
        ],
    }  # fmt: skip


def is_final(entry: Entry) -> bool:
    """Whether no retry of this request can succeed."""
    return entry["status"] in FINAL or entry["error"] == "insufficient_quota"


def _together(repeats: list[Entry]) -> list[Entry]:
    """The largest crowd among these, if it is one."""
    repeats = sorted(repeats, key=lambda entry: entry["arrived_s"])
    largest: list[Entry] = []
    first = 0
    for last, entry in enumerate(repeats):
        while entry["arrived_s"] - repeats[first]["arrived_s"] > TOGETHER_S:
            first += 1
        if last + 1 - first > len(largest):
            largest = repeats[first : last + 1]
    return largest if len(largest) >= CROWD else []
