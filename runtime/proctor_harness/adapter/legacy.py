"""Flat flags, as NeMo Evaluator's configurations had them before there was a list of interceptors.

Their chain is fixed: what each flag adds is told here from the question's way out to the answer's
way back, and `chain` puts it together.
"""

from typing import Any, Literal

from proctor_harness.adapter.configuration import (
    AdapterConfig,
    Config,
    ConfigurationError,
    Entry,
    parsed,
)

Fields = dict[str, Any]


class Flags(Config):
    """The flags."""

    use_caching: bool = True
    """Give stored answers."""
    save_responses: bool = False
    """Store answers."""
    save_requests: bool = False
    """Store questions."""
    use_system_prompt: bool = False
    """Use custom_system_prompt."""
    use_omni_info: bool = False
    """NVIDIA's own; not available."""
    use_request_logging: bool = False
    """Log questions."""
    use_nvcf: bool = False
    """The target is an NVIDIA Cloud Function."""
    use_response_logging: bool = False
    """Log answers."""
    use_reasoning: bool = False
    """The older name of process_reasoning_traces."""
    process_reasoning_traces: bool = False
    """Take reasoning out of answers."""
    use_progress_tracking: bool = False
    """Tell progress_tracking_url of progress."""
    use_raise_client_errors: bool = False
    """End the evaluation when the target refuses a question."""
    include_json: bool = True
    """Write the report as JSON too."""
    mode: Literal["server", "client"] = "server"
    """Accepted and without effect."""
    generate_html_report: bool = True
    """Write the report."""
    html_report_size: int | None = 5
    """Most pairs of the report."""
    tracking_requests_stats: bool = True
    """Count responses."""
    log_failed_requests: bool = False
    """Log question and answer of each failed request."""
    endpoint_type: str = "chat"
    """Accepted and without effect."""
    caching_dir: str | None = None
    """Directory of stored answers."""
    custom_system_prompt: str | None = None
    """The system message."""
    output_dir: str | None = None
    """Directory of everything else."""
    params_to_add: Fields | None = None
    """See ``payload_modifier``."""
    params_to_remove: list[str] | None = None
    """See ``payload_modifier``."""
    params_to_rename: dict[str, str] | None = None
    """See ``payload_modifier``."""
    headers_to_add: dict[str, str] | None = None
    """See ``payload_modifier``."""
    headers_to_remove: list[str] | None = None
    """See ``payload_modifier``."""
    headers_to_rename: dict[str, str] | None = None
    """See ``payload_modifier``."""
    max_logged_requests: int | None = None
    """Most questions to log."""
    max_logged_responses: int | None = None
    """Most answers to log."""
    max_saved_requests: int | None = None
    """Most questions to store."""
    max_saved_responses: int | None = None
    """Most answers to store."""
    start_reasoning_token: str | None = None
    """See ``reasoning``."""
    include_if_reasoning_not_finished: bool | None = None
    """See ``reasoning``, include_if_not_finished."""
    track_reasoning: bool | None = None
    """See ``reasoning``, enable_reasoning_tracking."""
    end_reasoning_token: str = "</think>"  # noqa: S105 - a marker, no secret
    """See ``reasoning``."""
    progress_tracking_url: str | None = None
    """See ``progress_tracking``."""
    progress_tracking_interval: int = 1
    """See ``progress_tracking``."""
    logging_aggregated_stats_interval: int = 100
    """See ``response_stats`` and ``reasoning``."""


FLAGS = frozenset(Flags.model_fields) - frozenset(AdapterConfig.model_fields)
"""Names that only a flat configuration has."""


def spelled_out(fields: Fields, where: str, output_dir: str | None = None) -> AdapterConfig:
    """The flags' chain; raises ConfigurationError. `output_dir` is where the run writes."""
    flags = parsed(Flags, fields, where)
    if flags.use_omni_info:
        raise ConfigurationError([f"{where}.use_omni_info=True: not available; leave it out"])
    flags = flags.model_copy(update={"output_dir": flags.output_dir or output_dir})
    chain = [
        Entry(name=name, config=config)
        for name, config in links(flags).items()
        if config is not None
    ]
    return AdapterConfig(
        mode=flags.mode,
        interceptors=chain,
        post_eval_hooks=hooks(flags),
        endpoint_type=flags.endpoint_type,
        log_failed_requests=flags.log_failed_requests,
    )


def links(flags: Flags) -> dict[str, Fields | None]:
    """Each link of the chain with its configuration, or None if it is left out."""
    prompt = flags.custom_system_prompt if flags.use_system_prompt else None
    logged = {"output_dir": flags.output_dir}
    return {
        "system_message": None if prompt is None else {"system_message": prompt},
        "payload_modifier": payload(flags) or None,
        "request_logging": logged | given(max_requests=flags.max_logged_requests)
        if flags.use_request_logging
        else None,
        "caching": caching(flags),
        "nvcf" if flags.use_nvcf else "endpoint": {},
        "response_stats": stats(flags) if flags.tracking_requests_stats else None,
        "response_logging": logged | given(max_responses=flags.max_logged_responses)
        if flags.use_response_logging
        else None,
        "reasoning": reasoning(flags)
        if flags.use_reasoning or flags.process_reasoning_traces
        else None,
        "progress_tracking": progress(flags) if flags.use_progress_tracking else None,
        "raise_client_errors": {} if flags.use_raise_client_errors else None,
    }


def given(**fields: Any) -> Fields:
    """The fields that are not None: an interceptor's own default holds for the others."""
    return {name: value for name, value in fields.items() if value is not None}


def below(flags: Flags, directory: str) -> str:
    """A directory for an interceptor's files."""
    root = flags.caching_dir or flags.output_dir or "/tmp"  # noqa: S108 - a path in the artifacts
    return f"{root}/{directory}"


def payload(flags: Flags) -> Fields:
    """``payload_modifier``."""
    found = {
        "params_to_add": flags.params_to_add,
        "params_to_remove": flags.params_to_remove,
        "params_to_rename": flags.params_to_rename,
        "headers_to_add": flags.headers_to_add,
        "headers_to_remove": flags.headers_to_remove,
        "headers_to_rename": flags.headers_to_rename,
    }
    return {name: value for name, value in found.items() if value}


def caching(flags: Flags) -> Fields | None:
    """``caching``, which the report needs too."""
    report = flags.generate_html_report
    if not (flags.use_caching or flags.save_responses or flags.save_requests or report):
        return None
    size = flags.html_report_size if report else None
    return {
        "cache_dir": flags.caching_dir or f"{flags.output_dir or '/tmp'}/cache",  # noqa: S108
        "reuse_cached_responses": flags.use_caching,
        "save_requests": flags.save_requests or report,
        "save_responses": flags.save_responses or report,
        **given(
            max_saved_requests=most(flags.max_saved_requests, size),
            max_saved_responses=most(flags.max_saved_responses, size),
        ),
    }


def most(limit: int | None, report_size: int | None) -> int | None:
    """A limit that leaves enough for the report."""
    return max((n for n in (limit, report_size) if n is not None), default=None)


def stats(flags: Flags) -> Fields:
    """``response_stats``."""
    return {
        "cache_dir": below(flags, "response_stats_cache"),
        "logging_aggregated_stats_interval": flags.logging_aggregated_stats_interval,
    }


def reasoning(flags: Flags) -> Fields:
    """``reasoning``."""
    tracked = {
        "save_individuals": True,
        "cache_dir": below(flags, "reasoning_stats_cache"),
    }
    return {
        "end_reasoning_token": flags.end_reasoning_token,
        **given(
            start_reasoning_token=flags.start_reasoning_token,
            include_if_not_finished=flags.include_if_reasoning_not_finished,
            enable_reasoning_tracking=flags.track_reasoning,
        ),
        **(tracked if flags.tracking_requests_stats else {}),
        "logging_aggregated_stats_interval": flags.logging_aggregated_stats_interval,
    }


def progress(flags: Flags) -> Fields:
    """``progress_tracking``."""
    return {
        "progress_tracking_interval": flags.progress_tracking_interval,
        "request_method": "POST",
        "output_dir": flags.output_dir,
        **given(progress_tracking_url=flags.progress_tracking_url),
    }


def hooks(flags: Flags) -> list[Entry]:
    """The report."""
    if not flags.generate_html_report:
        return []
    types = ["html", "json"] if flags.include_json else ["html"]
    config = {"report_types": types, "html_report_size": flags.html_report_size}
    return [Entry(name="post_eval_report", config=config)]
