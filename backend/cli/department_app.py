"""A source department's side of the demo: software that hands files in for itself, over HTTP."""

import time

import httpx

from backend.cli.client_app import ClientApp

SUBMISSIONS = "/v1/submissions"
# Who killed a worker in the middle of a file waits until another one may take its job over.
_WAIT_SECONDS = 120
_POLL_SECONDS = 0.2


class DepartmentApp(ClientApp):
    """One department's client."""

    def hand_in(self, class_code: str, batch_id: str, content: bytes) -> httpx.Response:
        """Hand a CSV file in."""
        return self._http.post(
            self._origin + SUBMISSIONS,
            params={"class": class_code, "batch_id": batch_id},
            content=content,
            headers={"content-type": "text/csv", **self._signed("POST", SUBMISSIONS)},
        )

    def look(self, path: str) -> httpx.Response:
        """Look at a submission of the department's, or at its errors."""
        return self.call("GET", path)

    def wait_until_taken_in(self, submission_id: str) -> httpx.Response:
        """Ask until a file is in whole; the last answer, however it is, after two minutes."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            answer = self.look(f"{SUBMISSIONS}/{submission_id}")
            if not answer.is_success or answer.json()["status"] == "complete":
                return answer
            if time.monotonic() > deadline:
                return answer
            time.sleep(_POLL_SECONDS)
