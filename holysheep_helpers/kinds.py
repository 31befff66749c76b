"""The closed list of what can go wrong, and what each means: the one place that says so."""

from __future__ import annotations

from dataclasses import dataclass

YOURS, GATEWAYS, LINES, UNKNOWN = "yours", "the gateway's", "the line's", "nobody knows whose"


@dataclass(frozen=True, slots=True)
class Kind:
    """What holds for every error of one kind; ``Diagnosis`` has the same fields."""

    what: str
    whose: str
    advice: str
    retryable: bool = False
    other_model: bool = False
    may_have_cost: bool = False


def _again(what: str, whose: str, advice: str, cost: bool = False, other: bool = True) -> Kind:
    return Kind(what, whose, advice, True, other, cost)


KINDS: dict[str, Kind] = {
    "missing_key": Kind("No key was sent.", YOURS, "Set the key."),
    "placeholder_key": Kind("The placeholder was sent as the key.", YOURS, "Set your own key."),
    "malformed_key": Kind("What was sent can't be a key.", YOURS, "Copy the key again."),
    "wrong_key": Kind("The server does not know this key.", YOURS, "Check the key."),
    "wrong_host": Kind("Key and server don't belong together.", YOURS, "Check base_url."),
    "forbidden": Kind("The key may not do this.", YOURS, "Ask for leave."),
    "unknown_model": Kind("There is no such model.", YOURS, "List the models.", other_model=True),
    "wrong_path": Kind("There is no such path.", YOURS, "Check base_url."),
    "bad_request": Kind("The request can't be right.", YOURS, "Mend it."),
    "too_long": Kind("The prompt is too long.", YOURS, "Split it."),
    "refused_content": Kind("The content was refused.", YOURS, "Change the prompt."),
    "rate_limit": _again("Too many requests.", YOURS, "Wait."),
    "quota": Kind("The credit is used up.", YOURS, "Top up."),
    "connect": _again("No connection.", LINES, "Check the line.", other=False),
    "connect_timeout": _again("No connection in time.", LINES, "Try again."),
    "pool_timeout": _again("All connections are busy.", YOURS, "Ask fewer at once.", other=False),
    "first_token_timeout": _again("No answer in time.", GATEWAYS, "Raise the time-out.", True),
    "stalled_stream": _again("The stream stalled.", GATEWAYS, "Ask again.", True),
    "cut_stream": _again("The stream was cut.", LINES, "Ask again.", True),
    "cut_connection": _again("The connection broke.", LINES, "Ask again.", True),
    "ended_early": _again("The stream ended early.", GATEWAYS, "Ask again.", True),
    "error_in_stream": _again("An error came in the stream.", GATEWAYS, "Ask again.", True),
    "bad_json": _again("What came is no JSON.", GATEWAYS, "Ask again.", True),
    "server_error": _again("The server failed.", GATEWAYS, "Try again."),
    "timeout_408": _again("The server gave up waiting.", GATEWAYS, "Try again.", True),
    "proxy_page": _again("A proxy answered.", GATEWAYS, "Try again.", True),
    "html_page": Kind("A page came in place of an answer.", YOURS, "Check base_url."),
    "tls": Kind("The certificate was refused.", LINES, "Check the certificate."),
    "dns": Kind("The host's name is unknown.", YOURS, "Check base_url."),
    "refused": _again("The connection was refused.", YOURS, "Check base_url.", other=False),
    "budget": Kind("The budget is spent.", YOURS, "Connect with a larger one."),
    "input": Kind("An argument can't be right.", YOURS, "Mend it."),
    "configuration": Kind("A setting can't be right.", YOURS, "Mend it."),
    "deadline": _again("The deadline has passed.", YOURS, "Allow more time.", True, False),
    "helper": Kind("A helper can't do this.", YOURS, "Read its message."),
    "unknown": Kind("Nothing is known of this.", UNKNOWN, "Read its traceback."),
}
