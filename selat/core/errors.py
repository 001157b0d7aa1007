"""Every error Selat raises, in one tree; a message names the thing, the limit and the next step.

    SelatError
    ├── CallerError              the caller can mend it
    │   ├── BadRequest           400  the request is malformed; `param` names the field
    │   ├── Unauthenticated      401  no key, or a wrong or revoked one
    │   ├── Forbidden            403  policy said no; `rules` name the policies
    │   ├── NotFound             404  no such model, receipt, document (or it is another tenant's)
    │   ├── TooMany              429  over a limit of requests, tokens or money; `retry_after_s` says until when
    │   ├── TooLarge             413  over a stated limit
    │   └── Misused              a command was called wrongly (exit code 2)
    ├── EngineError              the model's side failed
    │   ├── EngineUnreachable    502  could not connect, or the connection broke before an answer
    │   ├── EngineTimeout        504  a phase took longer than its limit
    │   └── EngineGarbage        502  the answer is not the protocol's
    ├── Unavailable              503  Selat cannot take work now (draining, no engine, disk full)
    │   └── LedgerUnavailable    503  an entry could not be made durable, so nothing was sent
    ├── GuardFailed              the scanner could not scan: never the same as "nothing found"
    ├── PolicyBroken             a policy set could not be loaded or proved
    ├── LedgerBroken             stored evidence does not verify
    ├── ModelRefused        422  a model may not be taken in: its format, licence or digest
    ├── ModelBroken              stored files of a model are not what its record says
    ├── BundleBroken        422  a bundle is not what its manifest says, or not signed by a key that is trusted
    ├── SourceFailed        502  where a model was to come from did not give it
    ├── DocumentUnreadable       a document cannot be parsed; the reason is for its owner
    ├── HomeBroken               the home directory is damaged or of another version
    └── HomeBusy                 another `selat up` holds this home

Messages never carry a prompt, the text of a finding or a key: kinds and positions only.
"""

from __future__ import annotations


class SelatError(Exception):
    """Base of the tree. `status` is the HTTP status, `code` our stable machine-readable name."""

    status = 500
    code = "internal_error"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross from worker processes; pickle's own way cannot make one with keywords of its own.
        return _revived, (type(self), self.args, self.__dict__)


def _revived(kind: type[SelatError], args: tuple[object, ...], state: dict[str, object]) -> SelatError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class CallerError(SelatError):
    status = 400
    code = "bad_request"


class BadRequest(CallerError):
    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class Unauthenticated(CallerError):
    status = 401
    code = "invalid_api_key"


class Forbidden(CallerError):
    """Policy refused. `rules` are policy ids; `receipt` is the id of the `refused` entry."""

    status = 403
    code = "policy_denied"

    def __init__(self, message: str, *, rules: tuple[str, ...] = (), receipt: str | None = None) -> None:
        super().__init__(message)
        self.rules = rules
        self.receipt = receipt


class NotFound(CallerError):
    status = 404
    code = "not_found"


class TooMany(CallerError):
    """Over a quota. `retry_after_s` is whole seconds until the window that is full ends.

    `limit` is the id of the limit, as an entry names it; `receipt` is the id of the `refused` entry.
    """

    status = 429
    code = "quota_exceeded"

    def __init__(self, message: str, *, retry_after_s: int, limit: str = "", receipt: str | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.limit = limit
        self.receipt = receipt


class TooLarge(CallerError):
    """Over a stated limit: `limit_bytes`, 0 where it is not of bytes."""

    status = 413
    code = "too_large"

    def __init__(self, message: str, *, limit_bytes: int = 0) -> None:
        super().__init__(message)
        self.limit_bytes = limit_bytes


class Misused(CallerError):
    code = "misused"


class EngineError(SelatError):
    status = 502
    code = "engine_error"


class EngineUnreachable(EngineError):
    code = "engine_unreachable"


class EngineTimeout(EngineError):
    status = 504
    code = "engine_timeout"


class EngineBusy(EngineError):
    """No place for one more call, which was not sent: nothing is wrong with the engine."""

    status = 503
    code = "engine_busy"


class EngineGarbage(EngineError):
    code = "engine_garbage"


class Unavailable(SelatError):
    status = 503
    code = "unavailable"


class LedgerUnavailable(Unavailable):
    code = "ledger_unavailable"


class GuardFailed(SelatError):
    code = "scan_failed"


class PolicyBroken(SelatError):
    code = "policy_broken"


class LedgerBroken(SelatError):
    code = "ledger_broken"


class ModelRefused(SelatError):
    status = 422
    code = "model_refused"


class ModelBroken(SelatError):
    code = "model_broken"


class BundleBroken(SelatError):
    status = 422
    code = "bundle_broken"


class SourceFailed(SelatError):
    status = 502
    code = "source_failed"


class DocumentUnreadable(SelatError):
    status = 422
    code = "document_unreadable"


class HomeBroken(SelatError):
    code = "home_broken"


class HomeBusy(SelatError):
    code = "home_busy"
