"""The codes and words in which endpoints refuse: OpenAI, Azure, Anthropic, Gemini, Mistral, OpenRouter, Together, Groq, DeepSeek, xAI,
LiteLLM, vLLM, SGLang, llama.cpp and TGI, as their documentation and public reports have them. What they mean: `openai_refusals`.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ACCOUNT_CODES = _words("""
insufficient_quota invalid_api_key billing_hard_limit_reached billing_not_active account_deactivated access_terminated insufficient_balance
insufficient_credits exceeded_current_quota_error permission_error permission_denied permissiondenied authentication_error billing_error
budget_exceeded auth_error expired_key invalid_authentication_error api_key_invalid api_key_expired service_disabled
unsupported_country_region_territory organization_restricted key_model_access_denied team_model_access_denied token_not_found_in_db
payment_required accessdenied access_denied ip_not_authorized no_active_subscription arrearage
""")
MODEL_CODES = _words("""
model_not_found not_found_error deploymentnotfound deployment_not_found model_decommissioned model_terms_required model_not_available
model_not_allowed unknown_model invalid_model
""")
PROMPT_CODES = _words("""
context_length_exceeded exceed_context_size_error string_above_max_length request_too_large content_filter content_policy_violation
responsibleaipolicyviolation invalid_prompt prohibited_content data_inspection_failed datainspectionfailed contextwindowexceedederror
contentpolicyviolationerror moderation_blocked token_limit_exceeded string_too_long content_moderation_failed
safety_check_failed input_moderation
""")
SETTING_CODES = _words("""
unsupported_parameter unsupported_value unknown_parameter extra_forbidden invalid_parameter unsupportedparamserror
""")
SETTINGS = _words("temperature top_p n seed stop logprobs top_logprobs max_tokens max_completion_tokens max_output_tokens")
"""What a refusal of a setting names."""
TOO_LONG = re.compile(
    r"maximum context length|context[ _](?:length|window|size|limit)|(?:maximum )?model length of|prompt is too long|prompt too long"
    r"|tokens? (?:count )?.{0,40}exceeds? the maximum number of tokens|`?inputs`? (?:tokens .{0,40})?must (?:be <=|have less than)"
    r"|too large for model|reduce the length of|request too large|longer than the (?:maximum )?(?:model|context)|string too long"
    r"|input is too long|contextwindowexceeded",
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
    r"|budget .{0,20}exceeded|exceeded your current quota|key limit exceeded|no resource package|payment required|spending limit"
    r"|(?:account|access|organization|project|workspace) .{0,40}"
    r"(?:suspended|deactivated|disabled|inactive|overdue|terminated|banned|restricted|archived)|api[ _-]?key .{0,20}"
    r"(?:not valid|invalid|expired|disabled|revoked)|(?:invalid|expired|disabled|revoked|incorrect) api[ _-]?key|subscription",
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
    r"(?:system|developer)['\"`]? ?(?:role|message|prompt|instruction)s?\b.{0,60}"
    r"(?:not (?:supported|enabled|allowed|permitted)|unsupported)"
    r"|(?:not support|unsupported|unexpected|unknown|invalid).{0,30}(?:['\"`]?system\b|role.{0,20}system|developer instruction)"
    r"|developer instruction is not enabled|roles must alternate",
    re.IGNORECASE,
)
"""What endpoints and chat templates say that take no system turn."""
