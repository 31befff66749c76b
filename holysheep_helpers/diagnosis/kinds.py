"""The closed list of what can go wrong and what each means: the one place that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

YOURS, GATEWAYS, LINES, UNKNOWN = "yours", "the gateway's", "the line's", "nobody knows whose"


@dataclass(frozen=True, slots=True)
class Kind:
    """What holds for every error of a kind; ``Diagnosis`` explains the fields.

    ``seen`` is how it shows itself: the exception's type, the status, or where nothing is raised.
    """

    what: str
    whose: str
    seen: str
    advice: str
    retryable: bool = False
    other_model: bool = False
    may_have_cost: bool = False

    @property
    def row(self) -> dict[str, str]:
        """This kind as a row of the table."""
        return {
            "what happened": self.what,
            "how it shows": self.seen,
            "whose": self.whose,
            "ask again": "yes" if self.retryable else "no",
            "another model": "may help" if self.other_model else "no help",
            "billed": "maybe" if self.may_have_cost else "no",
            "what to do": self.advice,
        }


def _final(what: str, seen: str, advice: str, whose: str = YOURS, cost: bool = False) -> Kind:
    """What the same request meets again, however often it is sent."""
    return Kind(what, whose, seen, advice, may_have_cost=cost)


def _again(what: str, whose: str, seen: str, advice: str, cost: bool = False) -> Kind:
    """What may pass by itself, and lies on the way: it is the same way to every model."""
    return Kind(what, whose, seen, advice, retryable=True, may_have_cost=cost)


def _theirs(what: str, seen: str, advice: str, cost: bool = False, whose: str = GATEWAYS) -> Kind:
    """What may pass by itself, and may not hit another model."""
    return Kind(what, whose, seen, advice, True, True, cost)


KINDS: Mapping[str, Kind] = MappingProxyType({
    # ---- the key
    "missing_key": _final(
        "No key was sent.", "`AuthenticationError` 401, or a bare `OpenAIError`",
        "Give hs.connect() or the client your key. Without one, hs.connect('mock').",
    ),
    "placeholder_key": _final(
        "The placeholder was sent in the place of a key.", "`AuthenticationError` 401",
        "Put your own key there: dashboard, API Keys, Create New Key.",
    ),
    "malformed_key": _final(
        "What was sent as a key can't be one.",
        "`AuthenticationError` 401, `APIConnectionError`, `UnicodeEncodeError`",
        "Copy it again: the key alone, no quotes, no spaces, no line break.",
    ),
    "wrong_key": _final(
        "The server refused the key.", "`AuthenticationError` 401",
        "Is it this gateway's, and still valid? If not, make a new one in the dashboard.",
    ),
    "wrong_host": _final(
        "Key and server don't belong together.", "`AuthenticationError` 401",
        "Give base_url and api_key of the same gateway: both, or neither, from hs.connect().",
    ),
    "forbidden": _final(
        "The key is known, but may not do this.", "`PermissionDeniedError` 403",
        "Look in the dashboard at what the key may use; client.models.list() shows it, too.",
    ),
    # ---- the request
    "unknown_model": Kind(
        "The server has no such model for this key.", YOURS, "`NotFoundError` 404",
        "client.models.list() shows what this key may use.", other_model=True,
    ),
    "wrong_path": _final(
        "The server has no such path.", "`NotFoundError` 404, or 405",
        "Check base_url: it ends with the API's version, /v1, and nothing after it.",
    ),
    "redirect": _final(
        "The server sends its callers elsewhere.",
        "`APIStatusError` 3xx, or what came of following: 401, 404, `APIConnectionError`",
        "If you trust that address, give it as base_url.",
    ),
    "bad_request": _final(
        "The server can't accept this request as it is.",
        "`BadRequestError` 400, `UnprocessableEntityError` 422",
        "Read the message: it names the parameter. Mend that; asking again changes nothing.",
    ),
    "too_long": _final(
        "Prompt and answer don't fit into the model's context window.",
        "`BadRequestError` 400 `context_length_exceeded`, or 413",
        "Shorten the prompt, lower max_tokens, or split the text.",
    ),
    "refused_content": _final(
        "The content was refused.",
        "`BadRequestError` 400 `content_filter`, `ContentFilterFinishReasonError`",
        "Change the prompt. Another model is no way around a refusal.", cost=True,
    ),
    "cut_short": _final(
        "max_tokens cut the answer before it could be read.", "`LengthFinishReasonError`",
        "Raise max_tokens, or ask for a shorter answer.", cost=True,
    ),
    # ---- limits
    "rate_limit": _theirs(
        "More was asked in a minute than the plan allows.", "`RateLimitError` 429",
        "Wait as long as Retry-After says, then ask more evenly.", whose=YOURS,
    ),
    "quota": _final(
        "The credit is used up.", "`RateLimitError` 429 `insufficient_quota`, or 402",
        "Waiting does not cure it: top up, or raise the limit in the dashboard.",
    ),
    # ---- the server
    "server_error": _theirs(
        "The server failed.", "`InternalServerError` 500, 502, 503",
        "Ask again after a short back-off, or another model.",
    ),
    "conflict": _again(
        "The server is busy with something that stands against this request.", GATEWAYS,
        "`ConflictError` 409", "Ask again after a short back-off.",
    ),
    "timeout_408": _theirs(
        "The server gave up before it had an answer.", "`APIStatusError` 408",
        "Ask again; if it recurs, ask for less, or stream.",
    ),
    "gateway_timeout": _theirs(
        "A proxy gave up waiting for the server behind it.", "`InternalServerError` 504",
        "Ask again, or stream: a stream answers from its first token on.", cost=True,
    ),
    "proxy_page": _theirs(
        "A proxy answered with a page of its own, in the place of the gateway.",
        "`InternalServerError` 5xx with HTML; 401, 403 or 407 with HTML, which do not pass",
        "Ask again after a short back-off. The gateway's own word did not come.", cost=True,
    ),
    # ---- the line
    "dns": _again(
        "The name of the server is unknown here.", LINES, "`APIConnectionError`; aiohttp: time-out",
        "Is the host in base_url (or HTTPS_PROXY) spelt right, and is this computer online?",
    ),
    "tls": _final(
        "No safe connection could be agreed on.", "`APIConnectionError`; aiohttp: time-out",
        "Is it https where it should be? A company's proxy, or a wrong clock, breaks it, too.",
        whose=LINES,
    ),
    "refused": _again(
        "The connection was refused, for nothing listens at that port.", LINES,
        "`APIConnectionError`; aiohttp: time-out",
        "Is it up, and the address right? If HTTPS_PROXY is set, is that up?",
    ),
    "connect": _again(
        "The connection could not be made.", LINES, "`APIConnectionError`; aiohttp: time-out",
        "Is it up, and the address right? Is this computer online, and a proxy set rightly?",
    ),
    "connect_timeout": _again(
        "Nobody took up the connection in time.", LINES, "`APITimeoutError`",
        "Is the address right, and does a firewall stand in between?",
    ),
    "pool_timeout": _again(
        "All of the client's connections were in use.", YOURS, "`APITimeoutError`",
        "Ask fewer at once, or use one client with a larger pool.",
    ),
    # ---- the answer
    "first_token_timeout": _theirs(
        "No answer came in time.", "`APITimeoutError`",
        "Is it up, and reachable? Ask again; a long answer needs a longer time-out, or a stream.",
        cost=True,
    ),
    "stalled_stream": _theirs(
        "The stream began, then stood still for longer than the time-out.", "`APITimeoutError`",
        "Ask again if you can do without what came: it is a new, paid request.", cost=True,
    ),
    "cut_connection": _theirs(
        "The connection broke before the answer was here.",
        "`APIConnectionError`; aiohttp: time-out",
        "Ask again; what was lost on the way may be billed all the same.", cost=True, whose=LINES,
    ),
    "cut_stream": _theirs(
        "The connection broke in the middle of the stream.", "`APIConnectionError`",
        "Ask again if you can do without what came: it is a new, paid request.", cost=True,
        whose=LINES,
    ),
    "ended_early": _theirs(
        "The stream ended without a finish reason.",
        "nothing is raised; helpers: `IncompleteStreamError`",
        "What came is not the whole answer. Asking again is a new, paid request.", cost=True,
    ),
    "error_in_stream": _theirs(
        "The server reported an error in the middle of the stream.", "`APIError`, no status",
        "Ask again if you can do without what came: it is a new, paid request.", cost=True,
    ),
    "bad_json": _theirs(
        "What came is garbled: no whole JSON.",
        "`JSONDecodeError`, `APIConnectionError`; helpers: `UnexpectedReplyError`",
        "Ask again; what was garbled may be billed all the same.", cost=True,
    ),
    "html_page": _final(
        "A page came with status 200 in the place of an answer.",
        "nothing is raised: a `str` comes; helpers: `UnexpectedReplyError`",
        "Check base_url, and whether a proxy or a sign-in page stands in between.", cost=True,
    ),
    "wrong_form": _theirs(
        "The answer is not of the form that was asked for.",
        "pydantic's `ValidationError`, out of the SDK's `parse()`",
        "Ask again, ask more clearly, or another model: the answer itself is billed.", cost=True,
    ),
    "unexpected_reply": _final(
        "What came with status 200 is no chat completion.",
        "nothing is raised, or `APIResponseValidationError`; helpers: `UnexpectedReplyError`",
        "Is this an OpenAI-compatible address? Check base_url.", GATEWAYS, cost=True,
    ),
    # ---- this side
    "input": _final(
        "An argument can't be right. Nothing was sent.",
        "`InputError`; SDK: `TypeError`, `ValueError`, `APIConnectionError`",
        "Read the message, and mend the argument.",
    ),
    "configuration": _final(
        "A key, an address or a setting can't be right. Nothing was sent.",
        "`ConfigurationError`; SDK: `InvalidURL`, `APIConnectionError`",
        "Read the message, and mend what it names.",
    ),
    "budget": _final(
        "The budget forbade the call before it was sent.", "`BudgetError`",
        "If the spend was meant, connect again with a larger budget_usd.",
    ),
    "unknown_price": _final(
        "No price was published for this model.", "`UnknownPriceError`",
        "Use a model with a published price, or do without the cost.",
    ),
    "deadline": _theirs(
        "The total deadline has passed, or the next wait would pass it.",
        "`DeadlineError`, `TimeoutError`",
        "Allow more time, or ask for less; the cause says what took so long.", cost=True,
        whose=YOURS,
    ),
    "not_asked": _again(
        "The batch was stopped before this prompt had its turn.", YOURS, "`NotAskedError`",
        "Mend what stopped the batch, then result.retry_failed().",
    ),
    "all_failed": _again(
        "No model of a failover answered.", UNKNOWN, "`AllFailedError`",
        "Look at each one's diagnosis in .tried.", cost=True,
    ),
    "helper": _final(
        "A helper can't do this.", "`HolySheepError`", "Read the message: it ends with the cure.",
    ),
    "unknown": _final(
        "This is none of the errors that are known here.", "any other exception",
        "Read its type and traceback: it may be a mistake in the code around the call.", UNKNOWN,
        cost=True,
    ),
})  # fmt: skip


def errors_table() -> DataFrame:
    """Every kind of error, a row each: what happened, how it shows, whose it is, what to do."""
    from pandas import DataFrame

    frame = DataFrame({name: kind.row for name, kind in KINDS.items()}).T
    return frame.rename_axis("kind")


def as_markdown() -> str:
    """The table in Markdown: what happened and how it shows share a column, for its width."""
    titles = ["kind", "what happened, and how it shows", "whose", "ask again", "another model"]
    lines = [[*titles, "billed", "what to do"], ["---"] * 7]
    for name, kind in KINDS.items():
        what, seen, *rest = kind.row.values()
        lines.append([f"`{name}`", f"{what}<br>{seen}", *rest])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
