"""Every exception of botocore, translated into ours: refused, in doubt, or a matter of credentials."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from botocore import exceptions as boto

from migrator.contracts.aws import AwsInDoubt, AwsRefused
from migrator.errors import CredentialsError, MigratorError
from migrator.sanitize import clean_line
from migrator.secrets import REDACTOR

THROTTLED = frozenset(
    {
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
"""Codes with which AWS says that it did not begin to carry a call out because there were too many."""

_CREDENTIAL_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnauthorizedException",
        "UnrecognizedClient",
        "UnrecognizedClientException",
    }
)
_CLOCK_CODES = frozenset(
    {"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)
_DENIED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "Client.UnauthorizedOperation",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)
_CREDENTIAL_ERRORS: tuple[type[Exception], ...] = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.NoAuthTokenError,
    boto.MetadataRetrievalError,
    boto.RefreshWithMFAUnsupportedError,
    boto.UnknownCredentialError,
    boto.UnknownTokenProviderError,
    boto.ProfileNotFound,
    boto.ConfigNotFound,
    boto.ConfigParseError,
    boto.InvalidConfigError,
    boto.MissingDependencyException,
    boto.SSOError,
)
_NOT_SENT_ERRORS: tuple[type[Exception], ...] = (
    boto.EndpointConnectionError,
    boto.ConnectTimeoutError,
    boto.ProxyConnectionError,
    boto.CapacityNotAvailableError,
)
# A call that is wrong by itself: botocore refuses it before a connection is made.
_OUR_OWN_ERRORS: tuple[type[Exception], ...] = (
    boto.BaseEndpointResolverError,
    boto.DataNotFoundError,
    boto.EndpointProviderError,
    boto.InvalidDNSNameError,
    boto.InvalidEndpointConfigurationError,
    boto.InvalidHostLabelError,
    boto.InvalidRetryConfigurationError,
    boto.MissingParametersError,
    boto.OperationNotPageableError,
    boto.ParamValidationError,
    boto.ServiceNotInRegionError,
    boto.UnknownRegionError,
    boto.UnsupportedS3ArnError,
    boto.UnsupportedS3ConfigurationError,
    boto.ValidationError,
)
_SECRET_SERVICES = frozenset({"secretsmanager", "ssm", "lightsail", "rds"})
_IAM_PREFIXES = {"cloudwatch": "cloudwatch", "logs": "logs", "resourcegroupstaggingapi": "tag"}
_PERMISSION = re.compile(r"not authorized to perform:? ([A-Za-z0-9-]+:[A-Za-z0-9*]+)(?: on resource: (\S+))?")
_GIVEN_VALUE = re.compile(r", value: .*?(?=, type: |, valid |\n|$)", re.DOTALL)
_QUOTED_VALUE = re.compile(r"[Vv]alue '.*?' at", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """The call that failed, as far as a message needs it. `profile` is the operator's AWS profile, if named."""

    service: str
    operation: str
    api_name: str
    signing_name: str
    region: str
    changes: bool
    profile: str | None = None

    @property
    def where(self) -> str:
        """Service, operation and region for people."""
        return f"AWS {self.service} {self.api_name} in {self.region}"

    @property
    def permission(self) -> str:
        """The IAM action that such a call needs."""
        return f"{_IAM_PREFIXES.get(self.service, self.signing_name)}:{self.api_name}"


def translate(error: Exception, call: Call) -> MigratorError:
    """Our error for one of botocore's (or of the transport below it); an unknown one is in doubt."""
    if isinstance(error, boto.ClientError):
        return _from_answer(error, call)
    text = _sanitised(str(error), call)
    if isinstance(error, _CREDENTIAL_ERRORS) or type(error).__name__.startswith("Login"):
        return CredentialsError(
            "there are no usable AWS credentials",
            where=call.where,
            detail=text,
            next=next_for_credentials(call),
        )
    if isinstance(error, _NOT_SENT_ERRORS):
        return AwsRefused(
            "no connection to AWS could be made; nothing was sent",
            code=type(error).__name__,
            where=call.where,
            detail=text,
            next="check the network, proxy and name resolution, then `migrator resume`",
        )
    if isinstance(error, _OUR_OWN_ERRORS):
        return AwsRefused(
            "the call is not valid; nothing was sent",
            code=type(error).__name__,
            where=call.where,
            detail=text,
        )
    return _in_doubt(call, f"{type(error).__name__}: {text}")


def next_for_credentials(call: Call) -> str:
    """The commands that renew credentials and go on."""
    profile = f" --profile {call.profile}" if call.profile else ""
    renew = f"`aws sso login{profile}` (or set AWS_PROFILE, or new access keys)"
    return f"{renew}, then the same command, or `migrator resume` for a run that had begun"


def _from_answer(error: Any, call: Call) -> MigratorError:
    answer = error.response.get("Error", {})
    code = clean_line(str(answer.get("Code", "Unknown")), 100)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    message = _sanitised(str(answer.get("Message", "")), call)
    if code in _CREDENTIAL_CODES:
        following = next_for_credentials(call)
        if code in _CLOCK_CODES:
            following = f"check this machine's clock, then {following}"
        return CredentialsError(
            f"AWS does not accept the credentials ({code})", where=call.where, detail=message, next=following
        )
    if code in _DENIED_CODES or (status == HTTPStatus.FORBIDDEN and code in {"403", "Forbidden"}):
        found = _PERMISSION.search(message)
        permission = found[1] if found else call.permission
        on = f" on {found[2]}" if found and found[2] else ""
        return AwsRefused(
            f"the permission {permission} is missing{on}",
            code=code,
            where=call.where,
            detail=message,
            next=f"allow {permission} for this identity, then `migrator resume`",
        )
    if code in THROTTLED:
        return AwsRefused(
            f"AWS throttles such calls ({code}); nothing was changed",
            code=code,
            where=call.where,
            detail=message,
            next="wait a minute, then `migrator resume`",
        )
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if refused and status != HTTPStatus.REQUEST_TIMEOUT and code != "RequestTimeout":
        return AwsRefused(f"AWS refused: {code}", code=code, where=call.where, detail=message)
    return _in_doubt(call, f"HTTP {status} {code}: {message}")


def _in_doubt(call: Call, detail: str) -> AwsInDoubt:
    what = "the call may have been carried out" if call.changes else "AWS did not answer; the call was a read"
    return AwsInDoubt(what, where=call.where, detail=detail)


def _sanitised(text: str, call: Call) -> str:
    text = _GIVEN_VALUE.sub("", text)
    if call.service in _SECRET_SERVICES:
        text = _QUOTED_VALUE.sub("a value at", text)
    return clean_line(REDACTOR.scrub(text), 1_000)
