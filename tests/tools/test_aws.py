"""The door to AWS: what is sent, how often, and how failures come back."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import exceptions as boto

from migrator.contracts.aws import AwsInDoubt, AwsRefused
from migrator.errors import CredentialsError, MigratorError
from migrator.tools import aws as tool
from migrator.tools.aws import BotoAws, is_read
from migrator.tools.aws_errors import Call, translate
from tests.tools.aws_servers import answering, aws_json_error, moto_server, surroundings


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def aws(endpoint: str) -> BotoAws:
    return BotoAws(surroundings(endpoint))


def test_reads_and_changes_are_told_apart_by_the_first_word() -> None:
    reads = {"describe_images", "get_role", "list_buckets", "head_object", "batch_get_image"}
    changes = {
        "put_object",
        "create_vpc",
        "batch_delete_image",
        "delete_bucket",
        "change_resource_record_sets",
    }
    assert all(map(is_read, reads))
    assert not any(map(is_read, changes))


def test_a_change_and_its_reading(aws: BotoAws) -> None:
    made = aws.call("ecr", "create_repository", repositoryName="shop")["repository"]
    found = list(aws.pages("ecr", "describe_repositories", "repositories"))
    assert [repository["repositoryArn"] for repository in found] == [made["repositoryArn"]]


def test_bodies_come_whole(aws: BotoAws) -> None:
    location = {"LocationConstraint": "us-west-2"}
    aws.call("s3", "create_bucket", Bucket="state", CreateBucketConfiguration=location)
    aws.call("s3", "put_object", Bucket="state", Key="a", Body=b"content")
    assert aws.call("s3", "get_object", Bucket="state", Key="a")["Body"] == b"content"


def test_pages_of_an_operation_without_pages(aws: BotoAws) -> None:
    zones = list(aws.pages("ec2", "describe_availability_zones", "AvailabilityZones"))
    assert zones[0]["RegionName"] == "us-west-2"


def test_a_client_is_made_once_even_by_many_threads(aws: BotoAws, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    original = tool._config

    def counted(*given: Any) -> Any:
        made.append(given)
        return original(*given)

    monkeypatch.setattr(tool, "_config", counted)
    threads = [threading.Thread(target=aws.call, args=("ecr", "describe_registry")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_missing_thing_is_refused_with_its_code(aws: BotoAws) -> None:
    with pytest.raises(AwsRefused) as caught:
        aws.call("secretsmanager", "describe_secret", SecretId="none")
    assert caught.value.code == "ResourceNotFoundException"
    assert caught.value.where == "AWS secretsmanager DescribeSecret in us-west-2"


def test_an_unknown_operation_is_refused(aws: BotoAws) -> None:
    with pytest.raises(AwsRefused, match="no operation"):
        aws.call("ecr", "get_rich")


def test_an_invalid_call_is_refused_and_does_not_repeat_the_value(aws: BotoAws) -> None:
    with pytest.raises(AwsRefused) as caught:
        aws.call(
            "secretsmanager", "put_secret_value", SecretId="x", SecretString={"password": "hunter2hunter2"}
        )
    assert "hunter2" not in str(caught.value)
    assert "SecretString" in str(caught.value)


def test_a_change_by_the_wrong_account_is_not_sent(endpoint: str) -> None:
    other = BotoAws(surroundings(endpoint, account="999988887777"))
    with pytest.raises(CredentialsError, match="999988887777"):
        other.call("ecr", "create_repository", repositoryName="not-made")
    names = [r["repositoryName"] for r in other.pages("ecr", "describe_repositories", "repositories")]
    assert "not-made" not in names


def test_importing_the_tool_does_not_import_boto3() -> None:
    import subprocess

    code = "import sys, migrator.tools.aws, migrator.tools.secret_store; sys.exit('boto3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_cut_connection_during_a_change_is_in_doubt_and_sent_once() -> None:
    with answering(lambda *_: None) as (url, seen):
        aws = BotoAws(surroundings(url, account=""))
        with pytest.raises(AwsInDoubt, match="may have been carried out"):
            aws.call("secretsmanager", "put_secret_value", SecretId="x", SecretString="y")
    assert len(seen) == 1


def test_a_server_error_during_a_change_is_in_doubt_and_sent_once() -> None:
    with answering(lambda *_: aws_json_error(500, "InternalServiceError", "later")) as (url, seen):
        aws = BotoAws(surroundings(url, account=""))
        with pytest.raises(AwsInDoubt, match="may have been carried out"):
            aws.call("ecr", "create_repository", repositoryName="shop")
    assert len(seen) == 1


def test_a_read_is_repeated_on_a_server_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with answering(lambda *_: aws_json_error(500, "ServerException", "later")) as (url, seen):
        aws = BotoAws(surroundings(url, account=""))
        with pytest.raises(AwsInDoubt, match="was a read"):
            aws.call("ecr", "describe_repositories")
    assert len(seen) == 5


def test_a_throttled_change_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrator.tools.aws.time.sleep", lambda _: None)
    answers = iter(
        [aws_json_error(400, "ThrottlingException", "slow down"), (200, {}, b'{"VersionId": "1"}')]
    )
    with answering(lambda *_: next(answers)) as (url, seen):
        aws = BotoAws(surroundings(url, account=""))
        assert (
            aws.call("secretsmanager", "put_secret_value", SecretId="x", SecretString="y")["VersionId"] == "1"
        )
    assert len(seen) == 2


def test_nobody_listens() -> None:
    aws = BotoAws(surroundings("http://127.0.0.1:9", account=""))
    with pytest.raises(AwsRefused) as caught:
        aws.call("ecr", "create_repository", repositoryName="shop")
    assert caught.value.code == "EndpointConnectionError"


def test_expired_credentials_say_what_to_do_and_are_read_anew() -> None:
    answers = iter(
        [aws_json_error(400, "ExpiredTokenException", "expired"), (200, {}, b'{"repositories": []}')]
    )
    with answering(lambda *_: next(answers)) as (url, _):
        aws = BotoAws(surroundings(url, account="", aws_profile="work"))
        with pytest.raises(CredentialsError, match="aws sso login --profile work"):
            aws.call("ecr", "describe_repositories")
        assert aws.call("ecr", "describe_repositories")["repositories"] == []


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (
            "AccessDeniedException",
            "User: arn:aws:iam::111122223333:user/x is not authorized to perform: ecr:PutImage on resource: arn:y",
            "the permission ecr:PutImage is missing on arn:y",
        ),
        ("AccessDenied", "no", "the permission ecr:PutImage is missing"),
    ],
)
def test_a_missing_permission_is_named(code: str, message: str, expected: str) -> None:
    with answering(lambda *_: aws_json_error(403, code, message)) as (url, _):
        aws = BotoAws(surroundings(url, account=""))
        with pytest.raises(AwsRefused, match=expected):
            aws.call("ecr", "put_image", repositoryName="shop", imageManifest="{}")


def test_this_machines_configuration_does_not_mix_in(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-is-not-there")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    aws = BotoAws(surroundings(endpoint))
    assert aws.call("sts", "get_caller_identity")["Account"] == "123456789012"


def test_the_user_agent_names_us() -> None:
    agents: list[str] = []

    def answer(handler: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        agents.append(handler.headers["User-Agent"])
        return 200, {}, b"{}"

    with answering(answer) as (url, _):
        BotoAws(surroundings(url, account="")).call("ecr", "describe_repositories")
    assert "migrator/" in agents[0]


def _instances() -> Iterator[Exception]:
    """One of every exception class of botocore."""
    for each in vars(boto).values():
        if inspect.isclass(each) and issubclass(each, boto.BotoCoreError):
            kind: Any = each
            error: Exception = kind.__new__(kind)
            Exception.__init__(error, f"a {kind.__name__}")
            yield error


@pytest.mark.parametrize("error", _instances(), ids=lambda error: type(error).__name__)
def test_every_exception_of_botocore_becomes_ours(error: Exception) -> None:
    call = Call("ecr", "put_image", "PutImage", "ecr", "us-west-2", changes=True)
    assert isinstance(translate(error, call), CredentialsError | AwsRefused | AwsInDoubt)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (boto.NoCredentialsError(), CredentialsError),
        (boto.UnauthorizedSSOTokenError(), CredentialsError),
        (boto.LoginRefreshRequired(), CredentialsError),
        (boto.ProfileNotFound(profile="x"), CredentialsError),
        (boto.ReadTimeoutError(endpoint_url="http://x"), AwsInDoubt),
        (boto.ConnectionClosedError(endpoint_url="http://x"), AwsInDoubt),
        (boto.ResponseStreamingError(error="x"), AwsInDoubt),
        (boto.SSLError(endpoint_url="http://x", error="x"), AwsInDoubt),
        (boto.ConnectTimeoutError(endpoint_url="http://x"), AwsRefused),
        (boto.NoRegionError(), AwsRefused),
        (OSError("the unknown"), AwsInDoubt),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_what_an_exception_means(error: Exception, kind: type[MigratorError]) -> None:
    call = Call("ecr", "put_image", "PutImage", "ecr", "us-west-2", changes=True)
    assert type(translate(error, call)) is kind
