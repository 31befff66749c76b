"""How much do the tests notice? One line of the package is made wrong at a time, and they are run.

Each change is one that a user would notice: a wrong number, a lost answer, a retry too many. One
that no test notices is MISSED. The list is a yardstick for work on package and tests: what was
noticed before must be noticed afterwards. So the list stays as it is: it is from before the package
got its wings, and an entry follows its behaviour to where that went. Functions are found by name.

    python tools/mutations.py                         # all of them: an hour or two
    python tools/mutations.py --subject latency       # those of one subject
    python tools/mutations.py --only 7 --root FOLDER  # one of them, in another checkout

A change is made in a copy. The subject's own tests are run first, then, if they pass, all; what
fails must fail twice. With --only it is not checked that all pass with nothing changed.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

TIMEOUT_S = 1800  # for one run of the tests: what takes longer hangs, and is noticed by that
EVERY = ["tests", "--ignore=tests/browser", "--ignore=tests/notebooks"]
SUBJECTS = {
    "client": ["tests/client"],
    "batches": ["tests/batches"],
    "resilience": ["tests/resilience"],
    "latency": ["tests/latency"],
    "costs and pricing": ["tests/costs", "tests/pricing"],
    "diagnosis": ["tests/diagnosis", "tests/client"],
    "catalog and tokens": ["tests/catalog"],
    "notebook and lessons": ["tests/notebook", "tests/lessons"],
    "mock": ["tests/mock"],
}
"""Where to look first."""

# function: what is in it once => what is put in its place. Where several modules have a
# function of that name, "function @ how the path of its module ends".
CHANGES = """
# client
_connect: DEFAULT_LIVE_BUDGET_USD if live_default else budget => budget
Budget.check_request: possible_usd) >= self.limit_usd => possible_usd) > self.limit_usd
way_to: "follow_redirects": False => "follow_redirects": True
request_arguments: **given} => **given, **known[preset]}
Reading._check_end: if reason is None and not self._is_whole => if False
# batches
Limit.wait_s: at_s + MINUTE_S - now_s => at_s - now_s
Gate.hold: max(self._opens_s, now_s + wait_s) => max(self._opens_s, now_s)
Journal.recall: places.pop(0) => places[0]
LongPlan.combining: answers[at : at + self.group] => answers[at : at + self.group - 1]
Item.limit: "max_completion_tokens" => "max_tokens"
# resilience
decide: tries >= attempts => tries > attempts
CircuitBreaker._verdict: circuit.failures >= self.failures => circuit.failures > self.failures
CircuitBreaker.permit: trial_s + self.cool_down_s => trial_s
Permit.failed: wait_s or self._breaker.cool_down_s => self._breaker.cool_down_s
failover: max_retries=0 => max_retries=1
# latency
TimedStream.e2e_s: self.done_s - self.due_s => self.done_s - self.called_s
TimedStream.itl_s: max(1.0, tokens / chunks) => 1.0
estimate @ latency/stats: < runs_needed(q) => < runs_needed(q) + (q > 0.5)
_value @ run: METRICS[metric] if => (0.0 if metric in SPEEDS else None) if
Comparison._difference: two.bias_s - one.bias_s => one.bias_s - two.bias_s
# costs and pricing
_in_usd: price.cached_usd_per_mtok => price.input_usd_per_mtok
warn_if_stale: age_days > STALE_AFTER_DAYS => age_days >= STALE_AFTER_DAYS
grown: months - 1 => months
roi: EXACT.fma(count, back.running_usd, => EXACT.fma(1, back.running_usd,
audit_claim: lowest - slack <= claimed <= highest + slack => lowest <= claimed <= highest
# diagnosis
wait_asked: "retry-after-ms", ""), 0.001) => "retry-after-ms", ""), 1.0)
back_off_s: back_off_cap_s(attempt - 1) => back_off_cap_s(attempt)
_kind_of_body: if code in KIND_OF_CODE => if code in {*KIND_OF_CODE} - {"insufficient_quota"}
checked_url: and not plain_http => and plain_http
Secret.__repr__: "key …" => self._value
# catalog and tokens
find_stated: _SNAPSHOT.sub("", model_id.lower() => str(model_id.lower()
nearest: [:count] => [: count + 1]
count_messages: ) + REPLY_FRAME => )
cautious: (100 + MARGIN_PERCENT) / 100 => 1
split_spans: overlap * 2 > max_tokens => overlap * 2 >= max_tokens
# notebook and lessons
check_03c: within=0.03 => within=0.3
Slider._allowed: low <= value <= high => low <= value < high
_staircase: where="post" => where="pre"
View._say: escape(self._without_key(text)) => escape(text)
Panel._start: self.send.disabled = True => self.send.disabled = False
# mock
Limits.admit: len(self._window) >= self._requests => len(self._window) > self._requests
rate_limited: math.ceil(wait_s * 1000) => math.ceil(wait_s)
Slots._admit: popitem(last=False) => popitem()
Script.next: divmod(number + 1, self.every) => divmod(number, self.every)
_together: >= CROWD => > CROWD
"""


@dataclass(frozen=True)
class Change:
    """``number`` counts from 1; ``module`` is how its path ends, ``""`` for any."""

    number: int
    subject: str
    function: str
    module: str
    old: str
    new: str

    def made_in(self, root: Path) -> tuple[Path, str]:
        """The file, and its text with this change. Raises ``ValueError`` if that is not clear."""
        found = [
            (path, node)
            for path in (root / "holysheep_helpers").rglob("*.py")
            if path.with_suffix("").as_posix().endswith(self.module)
            for name, node in functions(ast.parse(path.read_bytes()))
            if name == self.function
        ]
        if len(found) != 1:
            places = ", ".join(path.as_posix() for path, _ in found) or "no module"
            raise ValueError(f"{self.number}: {self.function} is in {places}: one is needed.")
        [(path, node)] = found
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        inside = slice(node.lineno - 1, node.end_lineno)
        count = "".join(lines[inside]).count(self.old)
        if count != 1:
            raise ValueError(f"{self.number}: {self.function} has {self.old!r} {count} times.")
        lines[inside] = [line.replace(self.old, self.new) for line in lines[inside]]
        ast.parse("".join(lines))
        return path, "".join(lines)


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Functions and classes beneath, by qualified name (``Gateway.client``), without overloads."""
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{prefix}{child.name}."
            if not any(ast.unparse(one) == "overload" for one in child.decorator_list):
                yield f"{prefix}{child.name}", child
        yield from functions(child, inner)


def changes() -> list[Change]:
    """The list above."""
    found, subject = list[Change](), ""
    for line in CHANGES.strip().splitlines():
        name, _, change = line.partition(": ")
        function, _, module = name.partition(" @ ")
        old, _, new = change.partition(" => ")
        if line.startswith("# "):
            subject = line.removeprefix("# ")
        else:
            found.append(Change(len(found) + 1, subject, function, module, old, new))
    return found


def copy(root: Path, to: Path) -> None:
    """What git knows, as it is on the disk."""
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=root)
    for name in filter(None, listed.decode("utf-8").split("\0")):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)


def failing(root: Path, tests: Sequence[str], *flags: str) -> list[str]:
    """The tests that fail, ``["hung"]`` if they don't end."""
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *flags, *tests],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # so that what it starts can be ended with it
    )
    try:
        output = run.communicate(timeout=TIMEOUT_S)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        run.kill() if sys.platform == "win32" else os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        return ["hung"]
    failed = re.findall(r"^(?:FAILED|ERROR) (tests/.+?)(?: - |$)", output, re.MULTILINE)
    if run.returncode and not failed:
        raise RuntimeError(f"pytest ended with {run.returncode}, and names no test:\n{output}")
    return failed


def tried(root: Path, change: Change | None) -> str:
    """The test that notices this change, or the one that fails without a change, or MISSED."""
    with TemporaryDirectory(prefix="mutation-", ignore_cleanup_errors=True) as folder:
        there, runs = Path(folder).resolve(), [(EVERY, ("-n", "2", "--maxfail=20"))]
        copy(root, there)
        if change is not None:
            path, text = change.made_in(there)
            path.write_text(text, encoding="utf-8", newline="")
            runs.insert(0, (SUBJECTS[change.subject], ("-x", "-n", "0")))
        for tests, flags in runs:
            for test in failing(there, tests, *flags):  # once more: it may fail now and then
                if test == "hung" or failing(there, [test.partition("::")[0]], "-x", "-n", "0"):
                    return test
        return "MISSED"


def main() -> None:
    """Try the changes that were asked for, and print what became of each."""
    parser = argparse.ArgumentParser(description="Make the package wrong, and run its tests.")
    parser.add_argument("--subject", choices=SUBJECTS, help="the changes of one subject alone")
    parser.add_argument("--only", type=int, metavar="N", help="the change of this number alone")
    parser.add_argument("--root", type=Path, default=".", help="the checkout to test")
    asked = parser.parse_args()
    root, every, found, off = asked.root.resolve(), changes(), [], ""
    for change in every:
        try:
            change.made_in(root)
        except (ValueError, SyntaxError) as error:
            off += f"{error}\n"
    if off:
        raise SystemExit(f"{off}Correct the list in {__file__}. Nothing was run.")
    if asked.only is None and (by := tried(root, None)) != "MISSED":
        raise SystemExit(f"With nothing changed, {by} fails: fix that first.")
    for one in every:
        if asked.subject in (None, one.subject) and asked.only in (None, one.number):
            found.append(tried(root, one))
            row = (one.number, one.subject, one.function, f"{one.old} => {one.new}", found[-1])
            print(*row, sep=" | ", flush=True)
    print(f"{len(found)} changes, {found.count('MISSED')} of them missed")


if __name__ == "__main__":
    main()
