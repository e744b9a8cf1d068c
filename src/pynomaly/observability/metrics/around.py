"""One thing that is done around code: a ``with`` block, or a function of any sort."""

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

State = TypeVar("State")
F = TypeVar("F", bound=Callable[..., Any])


class Around(Generic[State]):
    """Begins before the code and ends after it, however it ends.

    Use an instance as ``with``, ``async with``, or as a decorator of a function, a coroutine
    function, a generator or an asynchronous generator. As a decorator it may run in many threads
    and tasks at once; a ``with`` block takes an instance of its own.
    """

    def __init__(self) -> None:
        self._states: list[State] = []

    def begin(self) -> State:
        """Called before the code; what it returns is handed to ``end``."""
        raise NotImplementedError

    def end(self, state: State, error: BaseException | None) -> None:
        """Called after the code, with the exception that it raised."""
        raise NotImplementedError

    def __enter__(self) -> "Around[State]":
        self._states.append(self.begin())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end(self._states.pop(), error)

    async def __aenter__(self) -> "Around[State]":
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def _fresh(self) -> "Around[State]":
        """A block of its own for one call; the decorated function may run many times at once."""
        one = object.__new__(type(self))
        one.__dict__.update(self.__dict__)
        one._states = []
        return one

    def __call__(self, function: F) -> F:
        """Run each call of a function within a block of its own."""
        return wrap(function, self._fresh)


def wrap(function: F, block: Callable[[], AbstractContextManager[Any]]) -> F:
    """Run each call of a function, of whatever sort, within a new block."""
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def async_generator(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            with block():
                async for item in function(*args, **kwargs):
                    yield item

        return cast(F, async_generator)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with block():
                return await function(*args, **kwargs)

        return cast(F, coroutine)
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with block():
                return (yield from function(*args, **kwargs))

        return cast(F, generator)

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        with block():
            return function(*args, **kwargs)

    return cast(F, plain)
