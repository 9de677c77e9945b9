"""tap-salesforce as its users run it, except that what it sends to login.salesforce.com goes to the sandbox.

It runs in an environment of its own (infra/requirements/strangers.txt), with the tap's arguments; SANDBOX_URL says where the sandbox is.
"""

import importlib
import os
from typing import Any

import requests
from requests.adapters import HTTPAdapter

LOGIN = "https://login.salesforce.com"


class ToSandbox(HTTPAdapter):
    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request.url = (request.url or "").replace(LOGIN, os.environ["SANDBOX_URL"], 1)
        return super().send(request, *args, **options)


class Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.mount("https://", ToSandbox())


if __name__ == "__main__":
    requests.Session = Session  # type: ignore[misc]
    importlib.import_module("tap_salesforce").main()
