"""What a refusal of an endpoint is about, by what it says and not by when it comes: the prompt, the account, a setting, the busy hour.

A body: ``{"error": {"message": "This model's maximum context length is 4096 tokens …", "code": "context_length_exceeded"}}``
The words are those of OpenAI, Azure, Anthropic, Gemini, Mistral, OpenRouter, Together, Groq, DeepSeek, LiteLLM, vLLM, SGLang, llama.cpp
and TGI. Codes are the server's own. A message may repeat what it was asked, so where its words alone speak, a second prompt decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any


class About(Enum):
    """What a refusal is about."""

    PROMPT = "this prompt"
    ACCOUNT = "the account or its key"
    MODEL = "the model or the address"
    SETTING = "a setting of the call"
    BUSY = "how busy the endpoint is"
    UNSURE = "cannot be told"


BUSY = (408, 409, 425, 429)
"""Statuses besides 500 and above after which asking again later may help."""
ACCOUNT_CODES = frozenset("""
insufficient_quota invalid_api_key billing_hard_limit_reached billing_not_active account_deactivated access_terminated insufficient_balance
insufficient_credits exceeded_current_quota_error permission_error permission_denied permissiondenied authentication_error billing_error
budget_exceeded auth_error expired_key invalid_authentication_error api_key_invalid api_key_expired service_disabled
unsupported_country_region_territory organization_restricted key_model_access_denied team_model_access_denied token_not_found_in_db
payment_required accessdenied access_denied ip_not_authorized no_active_subscription arrearage
""".split())  # fmt: skip
MODEL_CODES = frozenset("""
model_not_found not_found_error deploymentnotfound deployment_not_found model_decommissioned model_terms_required model_not_available
model_not_allowed unknown_model invalid_model
""".split())  # fmt: skip
PROMPT_CODES = frozenset("""
context_length_exceeded exceed_context_size_error string_above_max_length request_too_large content_filter content_policy_violation
responsibleaipolicyviolation invalid_prompt prohibited_content data_inspection_failed datainspectionfailed contextwindowexceedederror
contentpolicyviolationerror moderation_blocked content_moderation_failed safety_check_failed input_moderation
""".split())  # fmt: skip
SETTING_CODES = frozenset("""
unsupported_parameter unsupported_value unknown_parameter extra_forbidden invalid_parameter unsupportedparamserror
""".split())  # fmt: skip
SETTINGS = frozenset("temperature top_p n seed stop logprobs top_logprobs max_tokens max_completion_tokens max_output_tokens".split())
TOO_LONG = re.compile(
    r"maximum context length|context[ _](?:length|window|size|limit)|(?:maximum )?model length of|prompt is too long|prompt too long"
    r"|tokens? (?:count )?.{0,40}exceeds? the maximum number of tokens|`?inputs`? (?:tokens .{0,40})?must (?:be <=|have less than)"
    r"|too large for model|reduce the length of|request too large|longer than the (?:maximum )?(?:model|context)|string too long"
    r"|input is too long",
    re.IGNORECASE,
)
"""What endpoints say of a prompt that does not fit."""
FILTERED = re.compile(
    r"content management policy|content[ _]filter|content policy|usage (?:policy|policies|guidelines)|requires moderation|was flagged"
    r"|flagged as potentially|content exists risk|considered high risk|inappropriate content|guardrail|prohibited[ _]content"
    r"|safety[ _](?:check|system|filter)|invalid prompt",
    re.IGNORECASE,
)
"""What endpoints say of a prompt that they will not answer."""
PENNILESS = re.compile(
    r"insufficient (?:balance|credit|funds|quota)|credit balance|(?:out of|requires more|not enough) credits?|credit limit|billing"
    r"|budget has been exceeded|exceeded your current quota|key limit exceeded|no resource package|payment required|spending limit"
    r"|account .{0,30}(?:suspended|deactivated|disabled|inactive|overdue)|api[ _-]?key .{0,20}(?:not valid|invalid|expired|disabled|revoked)"
    r"|(?:invalid|expired|disabled|revoked|incorrect) api[ _-]?key|subscription",
    re.IGNORECASE,
)
"""What endpoints say where an account or its key is at an end."""
SLOW_DOWN = re.compile(r"rate.?limit|too many requests|retry in \d|quota .{0,40}per minute|overloaded|resource.?exhausted", re.IGNORECASE)
UNKNOWN_OPTION = re.compile(
    r"extra inputs are not permitted|unrecognized request argument|unknown (?:parameter|field|argument)|unsupported (?:parameter|value)"
    r"|is not supported (?:with|by|for) this model|cannot (?:both )?be specified|does not support|unexpected keyword|is deprecated for",
    re.IGNORECASE,
)
NO_SYSTEM = re.compile(
    r"(?:system|developer)['\"`]? ?(?:role|message|prompt|instruction)s?\b.{0,60}(?:not (?:supported|enabled|allowed|permitted)|unsupported)"
    r"|(?:not support|unsupported|unexpected|unknown|invalid).{0,30}(?:['\"`]?system\b|role.{0,20}system|developer instruction)"
    r"|developer instruction is not enabled|roles must alternate",
    re.IGNORECASE,
)
"""What endpoints and chat templates say that take no system turn."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an endpoint answered in place of a completion."""

    status: int
    codes: frozenset[str]
    """Codes, types and reasons that it names, in small letters."""
    params: frozenset[str]
    """The options that it names, such as ``temperature``."""
    words: str
    """Its message, with those that it passes on from elsewhere."""
    told: str
    """What it gives as its reason, for people."""


def read_refusal(status: int, body: str) -> Refusal:
    """The refusal in any body."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal(status, frozenset(), frozenset(), body[:2000], body)
    found = list(_said(data, 0))
    words = [value for name, value in found if name == "words"]
    message = words[0] if words else body
    code = _own_code(data)
    return Refusal(
        status,
        codes=frozenset(value.lower() for name, value in found if name == "code"),
        params=frozenset(re.split(r"[.\[]", value)[0] for name, value in found if name == "param"),
        words=" ".join(words),
        told=f"{message} ({code})" if code else message,
    )


def about(refusal: Refusal) -> About:
    """What a refusal is about; `UNSURE` where it says nothing that is known."""
    status, codes, words = refusal.status, refusal.codes, refusal.words
    if codes & PROMPT_CODES or (status == 413 and not codes & ACCOUNT_CODES):
        return About.PROMPT
    if status in BUSY or status >= 500:
        return _while_busy(refusal)
    if status == 403 and FILTERED.search(words):
        return About.PROMPT
    if status in (401, 402) or codes & ACCOUNT_CODES:
        return About.ACCOUNT
    if status == 404 or codes & MODEL_CODES:
        return About.MODEL
    if TOO_LONG.search(words) or FILTERED.search(words):
        return About.PROMPT
    if codes & SETTING_CODES or refusal.params & SETTINGS or UNKNOWN_OPTION.search(words):
        return About.SETTING
    return About.BUSY if SLOW_DOWN.search(words) and not PENNILESS.search(words) else About.UNSURE


def lacks_money(refusal: Refusal) -> bool:
    """Whether it speaks of an account or a key, whatever its status."""
    return bool(refusal.status in (401, 402) or refusal.codes & ACCOUNT_CODES or PENNILESS.search(refusal.words))


def refuses_system(refusal: Refusal) -> bool:
    """Whether it refuses a system turn; a chat template's own error may come with any status."""
    return refusal.status not in (401, 402, 403, 404, 429) and bool(NO_SYSTEM.search(refusal.words))


def _while_busy(refusal: Refusal) -> About:
    """What comes with the statuses of a busy hour: an empty account, a prompt beyond the limit of a minute, or a template's own error."""
    codes, words = refusal.codes, refusal.words
    if codes & {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}:
        return About.ACCOUNT
    passing = SLOW_DOWN.search(words) and "perday" not in words.lower().replace(" ", "")
    if refusal.status == 429 and PENNILESS.search(words) and not passing and "resource_exhausted" not in codes:
        return About.ACCOUNT
    too_long = TOO_LONG.search(words) if refusal.status >= 500 else re.search("request too large", words, re.IGNORECASE)
    return About.PROMPT if too_long else About.BUSY


def _own_code(data: Any) -> str | None:
    """The code beside the first message, where it is a word."""
    inner = data[0] if isinstance(data, list) and data else data
    inner = inner.get("error", inner) if isinstance(inner, dict) else None
    code = inner.get("code") if isinstance(inner, dict) else None
    return code if isinstance(code, str) and not code.isdigit() else None


def _said(data: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Codes and words of an error in any of the shapes that servers give it; what it repeats of its input is passed over."""
    if depth > 6:
        return
    if isinstance(data, list):
        for item in data[:20]:
            yield from _said(item, depth + 1)
    if not isinstance(data, dict):
        return
    for name in ("message", "msg", "detail", "error", "raw", "title"):
        if isinstance(value := data.get(name), str) and value:
            yield from _passed_on(value, depth) if name == "raw" else [("words", value)]
    for name in ("code", "type", "status", "reason", "error_type", "param"):
        if isinstance(value := data.get(name), str) and value:
            yield "code" if name != "param" else "param", value
    for name in ("error", "errors", "detail", "details", "innererror", "metadata", "message"):
        if isinstance(data.get(name), dict | list):
            yield from _said(data[name], depth + 1)


def _passed_on(text: str, depth: int) -> Iterator[tuple[str, str]]:
    """What a gateway quotes of the server behind it, often JSON in a text."""
    try:
        yield from _said(json.loads(text), depth + 1)
    except (ValueError, RecursionError):
        yield "words", text
