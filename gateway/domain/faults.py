"""Where an unexpected fault happened, told without any value: a message or a local may hold what must not be logged."""

from typing import Final

_FRAMES_MAX: Final = 12


def frames_of(exc: BaseException) -> list[str]:
    """The innermost frames, outermost of them first, as "module.function:line"."""
    frames = []
    trace = exc.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{trace.tb_frame.f_globals.get('__name__', '?')}.{code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    return frames[-_FRAMES_MAX:]
