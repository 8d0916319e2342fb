"""Translation APIs that other programs speak already, over the same pipeline."""

import asyncio
from abc import abstractmethod

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.api.access import KeyedRoute
from service.api.problems import stopping
from service.errors import MethodNotAllowed, ServiceError


class DialectRoute(KeyedRoute):
    """A route whose errors, whatever they are, are answered in the shape of its dialect."""

    @staticmethod
    @abstractmethod
    def error_response(error: ServiceError) -> Response:
        """The answer to a request that failed with ``error``."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ``starlette.routing.Route``; raises again what failed, so that it gets logged."""
        begun = False

        async def watched_send(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        async def answer(error: ServiceError) -> None:
            if not begun:
                await self.error_response(error)(scope, receive, watched_send)

        try:
            await super().handle(scope, receive, watched_send)
        except HTTPException as exc:  # the path exists, the method does not
            allowed = (exc.headers or {}).get("Allow", "another method")
            error = MethodNotAllowed(f"this path takes {allowed}", headers=exc.headers)
            await answer(error)
            raise error from None
        except ServiceError as error:
            await answer(error)
            raise
        except asyncio.CancelledError:  # uvicorn cancels what outlives the drain
            await answer(stopping())
            raise
        except Exception:  # the last line in a dialect's shape; RequestContext logs it
            await answer(ServiceError("an internal error; the log has more"))
            raise
