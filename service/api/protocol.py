"""The HTTP/1.1 connection: what is no HTTP at all is answered in the one shape too."""

import logging
import uuid

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.api.problems import ProblemResponse
from service.errors import RequestError

logger = logging.getLogger(__name__)


class ProblemProtocol(H11Protocol):
    """uvicorn's h11 protocol, with problem+json where the bytes can't be read as a request."""

    def send_400_response(self, msg: str) -> None:
        """Answer 400 and close the connection; ``msg`` is the parser's own reason."""
        request_id = uuid.uuid4().hex
        error = RequestError(msg, headers={"Connection": "close", "X-Request-ID": request_id})
        problem = ProblemResponse(error, request_id)
        logger.info("request id=%s method=- route=- status=%d ms=0", request_id, error.status)
        for event in (
            h11.Response(
                status_code=problem.status_code, headers=problem.raw_headers, reason=b"Bad Request"
            ),
            h11.Data(data=bytes(problem.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
