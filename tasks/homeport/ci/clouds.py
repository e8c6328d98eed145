"""Registries of clouds that GitHub's runs log in at by who they are (OIDC): no long-lived secret. Pure.

As whom stands in variables of the repository, one for who only reads and one for who pushes; where it is
empty, nobody logs in. Credentials reach the step that logs in and no other. Sources: each action's own
action.yml and README.md, and https://docs.github.com/actions/reference/security/oidc.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_AMAZON = re.compile(r"[0-9]{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_GOOGLE = re.compile(r"(?:[a-z0-9-]+-)?docker\.pkg\.dev")
_AZURE = re.compile(r"([a-z0-9]+)\.azurecr\.io")


@dataclass(frozen=True)
class Cloud:
    """How to log in at one registry; ``{right}`` in texts is PULL or PUSH."""

    title: str
    action: str
    """The action that changes the run's identity into the cloud's credentials."""
    variable: str
    """The variable that must be set; empty, nobody logs in."""
    inputs: tuple[str, ...]
    """The action's, as lines of YAML."""
    env: tuple[str, ...]
    """The login's, as lines of YAML."""
    script: tuple[str, ...]
    """The login, as lines of bash; $REGISTRY is the host."""


def cloud(host: str) -> Cloud | None:
    """The cloud of a registry's host; None where OIDC is of no use."""
    if found := _AMAZON.fullmatch(host):
        outputs = {
            "AWS_ACCESS_KEY_ID": "aws-access-key-id",
            "AWS_SECRET_ACCESS_KEY": "aws-secret-access-key",
            "AWS_SESSION_TOKEN": "aws-session-token",
        }
        return Cloud(
            "Amazon",
            "aws-actions/configure-aws-credentials",
            "AWS_{right}_ROLE",
            (
                "role-to-assume: ${{ vars.AWS_{right}_ROLE }}",
                f"aws-region: {found[1]}",
                "output-credentials: true",
                "output-env-credentials: false",
            ),
            (
                f"AWS_REGION: {found[1]}",
                *(f"{name}: ${{{{ steps.cloud.outputs.{value} }}}}" for name, value in outputs.items()),
            ),
            (
                "aws ecr get-login-password |",
                '  docker login --username AWS --password-stdin "$REGISTRY"',
            ),
        )
    if _GOOGLE.fullmatch(host):
        return Cloud(
            "Google",
            "google-github-actions/auth",
            "GCP_{right}_ACCOUNT",
            (
                "workload_identity_provider: ${{ vars.GCP_PROVIDER }}",
                "service_account: ${{ vars.GCP_{right}_ACCOUNT }}",
                "token_format: access_token",
                "create_credentials_file: false",
                "export_environment_variables: false",
            ),
            ("TOKEN: ${{ steps.cloud.outputs.access_token }}",),
            (
                "printf '%s' \"$TOKEN\" |",
                '  docker login --username oauth2accesstoken --password-stdin "$REGISTRY"',
            ),
        )
    if found := _AZURE.fullmatch(host):
        return Cloud(
            "Azure",
            "azure/login",
            "AZURE_{right}_CLIENT",
            (
                "client-id: ${{ vars.AZURE_{right}_CLIENT }}",
                "tenant-id: ${{ vars.AZURE_TENANT }}",
                "subscription-id: ${{ vars.AZURE_SUBSCRIPTION }}",
            ),
            (),
            (
                f"az acr login --name {found[1]} --expose-token --query accessToken --output tsv |",
                # What az acr login itself gives docker as the user of a token.
                '  docker login --username 00000000-0000-0000-0000-000000000000 --password-stdin "$REGISTRY"',
                "az logout",
            ),
        )
    return None
