"""Errors in the words of the function that was called."""

from __future__ import annotations

import functools
import re
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
_SHORT = reprlib.Repr()
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 12
_SHORT.maxstring = _SHORT.maxother = 200
_SHORT.maxlong = 80
_WORD_OR_QUOTED = re.compile(r"(?<!\w)'[^']*'|\w+")


def shown(value: object) -> str:
    """A value as a message has it: one line, not longer than a reader wants, however large or deep the value is."""
    return " ".join(_SHORT.repr(value).split())


def calling(**names: str) -> Callable[[Function], Function]:
    """Make errors name the arguments of a function that has other names for some of them than most operators.

    ``calling(rois="boxes")``: what every operator's checks call rois is boxes to the caller of this one. The function keeps the
    names as ``own_names``, for those that translate its errors once more.
    """
    translate = functools.partial(in_words_of, names)

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except (ValueError, TypeError, OverflowError, MemoryError) as error:
                error.args = (translate(str(error)),)
                raise

        call.own_names = names  # type: ignore[attr-defined]
        return cast(Function, call)

    return decorate


def in_words_of(names: Mapping[str, str], message: str) -> str:
    """A message with other names of arguments; what it quotes is a value of the caller's and stays what it is."""
    return _WORD_OR_QUOTED.sub(lambda word: names.get(word[0], word[0]), message)
