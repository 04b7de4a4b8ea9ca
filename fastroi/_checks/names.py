"""Errors in the words of the function that was called."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
_SUBJECT = re.compile(r"\w+(?=[:\[])")


def calling(**names: str) -> Callable[[Function], Function]:
    """Make errors name the arguments of a function that has other names for some of them than most operators.

    ``calling(rois="boxes")``: what every operator's checks call rois is boxes to the caller of this one. The function keeps the
    names as ``own_names``, for those that translate its errors once more.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except (ValueError, TypeError, OverflowError) as error:
                error.args = (_SUBJECT.sub(lambda name: names.get(name[0], name[0]), str(error), count=1),)
                raise

        call.own_names = names  # type: ignore[attr-defined]
        return cast(Function, call)

    return decorate
