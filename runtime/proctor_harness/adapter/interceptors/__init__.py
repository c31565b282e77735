"""The interceptors by the names that configurations know them by, one module each."""

from typing import Any, Protocol

from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.interceptors import (
    caching,
    consolidate_system,
    drop_params,
    endpoint,
    finish_reason,
    http_pairs_dump,
    log_tokens,
    logging_preview,
    modify_tools,
    nvcf_request,
    payload_modifier,
    progress_tracking,
    raise_client_errors,
    reasoning,
    reasoning_replay,
    request_logging,
    response_logging,
    response_stats,
    streaming,
    system_message,
    turn_counter,
)
from proctor_harness.adapter.messages import Interceptor
from proctor_harness.adapter.site import Site


class InterceptorModule(Protocol):
    """What a module offers; mypy checks those below against it."""

    @property
    def Config(self) -> type[InterceptorConfig]:  # noqa: N802 - a class
        """Its fields."""
        ...

    @property
    def __name__(self) -> str: ...

    def build(self, config: Any, site: Site, /) -> Interceptor:
        """Make the interceptor; `config` is of the module's own `Config`."""
        ...


INTERCEPTORS: dict[str, InterceptorModule] = {
    "caching": caching,
    "consolidate_system": consolidate_system,
    "drop_params": drop_params,
    "endpoint": endpoint,
    "finish_reason": finish_reason,
    "http_pairs_dump": http_pairs_dump,
    "log_tokens": log_tokens,
    "logging": logging_preview,
    "modify_tools": modify_tools,
    "nvcf": nvcf_request,
    "nvcf_request": nvcf_request,
    "payload_modifier": payload_modifier,
    "progress_tracking": progress_tracking,
    "raise_client_errors": raise_client_errors,
    "reasoning": reasoning,
    "reasoning_replay": reasoning_replay,
    "request_logging": request_logging,
    "response_logging": response_logging,
    "response_stats": response_stats,
    "streaming": streaming,
    "system_message": system_message,
    "turn_counter": turn_counter,
}
