"""S3: where botocore finds credentials, if it does."""

import os
from collections.abc import Iterator
from importlib.util import find_spec

from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.options import Options
from spark_keyframes.errors import KeyframesError
from spark_keyframes.redaction import redact_url

# botocore's names of the providers of credentials.
_SOURCES = {
    "env": "the environment",
    "shared-credentials-file": "the file of credentials of the AWS CLI",
    "custom-process": "the program that the profile names",
    "config-file": "the file of settings of the AWS CLI",
    "sso": "the login by SSO",
    "assume-role": "a role that the profile names",
    "assume-role-with-web-identity": "a role by web identity",
    "container-role": "the role of the container",
    "iam-role": "the role of the instance",
}


def check(options: Options) -> Iterator[Finding]:
    """Let botocore look for credentials; it may ask the machine's metadata service."""
    if find_spec("botocore") is None:
        yield note(
            "S3",
            "s3:// cannot be used: botocore is missing",
            "run pip install 'spark_keyframes[s3]', if you use S3",
        )
        return
    import botocore.exceptions
    import botocore.session

    from spark_keyframes.storage.s3.client import build_client, sends_no_credentials

    try:
        endpoint = redact_url(str(build_client(stage="parameters").meta.endpoint_url))
        found = botocore.session.Session().get_credentials()
    except KeyframesError as error:
        text, _, advice = str(error).partition("; ")
        yield bad("S3", text, advice or "see docs/storage.md")
        return
    except botocore.exceptions.BotoCoreError as error:
        yield bad(
            "S3", f"credentials are lacking: {error}", "repair the profile, or unset AWS_PROFILE"
        )
        return
    profile = os.environ.get("AWS_PROFILE", "")
    if sends_no_credentials():
        yield good("S3", f"public buckets only, as AWS_SKIP_SIGNATURE is set; {endpoint}")
    elif found is None:
        yield note(
            "S3",
            f"no credentials in the chain of botocore; {endpoint}",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, if you use S3",
        )
    else:
        source = _SOURCES.get(found.method, str(found.method))
        profile = f", profile {profile}" if profile else ""
        yield good("S3", f"credentials of {source}{profile}, not tried; {endpoint}")
