"""Hooks for schemathesis: what would otherwise end a run before it has found anything."""

import itertools
import os

import schemathesis

OWN_TOKEN = os.environ["FANAL_OWN_TOKEN_ID"]

_numbers = itertools.count(1)


@schemathesis.hook
def before_call(context, case, kwargs):
    # Every request comes from another address, so that limits per address do not hide what is behind them.
    number = next(_numbers)
    case.headers = case.headers or {}
    case.headers["X-Forwarded-For"] = f"198.18.{number // 250 % 250}.{number % 250}"
    # The token in use is neither revoked nor exchanged.
    parameters = case.path_parameters or {}
    if case.operation.path.startswith("/tokens/") and case.method != "GET" and str(parameters.get("id")) == OWN_TOKEN:
        case.path_parameters["id"] = 0
